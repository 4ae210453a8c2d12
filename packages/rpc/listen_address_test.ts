import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatListenAddress, isLocal, parseListenAddress, securityOf } from './listen_address.ts';

test('parseListenAddress() reads unix paths, host:port and [v6]:port', () => {
  const paths = ['unix:/run/felix.sock', '127.0.0.1:5671', '[::1]:80', 'api.example:5671'];
  for (const text of paths) assert.equal(formatListenAddress(parseListenAddress(text)), text);
  assert.deepEqual(parseListenAddress('unix:///run/a'), { kind: 'unix', path: '/run/a' });
  assert.equal(formatListenAddress(parseListenAddress(':5671')), '0.0.0.0:5671');
});

test('parseListenAddress() says what would be accepted', () => {
  for (const text of ['', 'unix:', 'unix:relative', '127.0.0.1', 'a:b', '::1:80', 'h:70000']) {
    assert.throws(() => parseListenAddress(text), /expected "unix:\/path", "host:port"/, text);
  }
});

test('isLocal() is true for unix sockets and loopback only', () => {
  const local = ['unix:/x', '127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'];
  const remote = ['0.0.0.0:1', ':1', '192.168.80.10:1', '[::]:1', '127.0.0.1.example:1'];
  for (const text of local) assert.equal(isLocal(parseListenAddress(text)), true, text);
  for (const text of remote) assert.equal(isLocal(parseListenAddress(text)), false, text);
});

test('securityOf() refuses plain text over a network unless it is asked for', () => {
  const address = parseListenAddress('192.168.80.10:5671');
  const of = (tls: boolean, insecure: boolean): string =>
    securityOf(address, { tls, insecure }, 'listen on');
  assert.equal(of(true, false), 'tls');
  assert.equal(of(false, true), 'insecure');
  assert.throws(() => of(false, false), /Cannot listen on "192.168.80.10:5671": .*--insecure/);
});
