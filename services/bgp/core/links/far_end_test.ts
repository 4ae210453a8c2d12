import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { type Address, formatAddress, parseAddress } from '@calico/ip';
import { FarEnd } from './far_end.ts';

const ONE = parseAddress('fe80::1');
const TWO = parseAddress('fe80::2');

function link(known: readonly Address[] = []) {
  const clock = new FakeClock(0);
  const sent: string[] = [];
  const found: string[] = [];
  const table = [...known];
  const end: FarEnd = new FarEnd({
    clock,
    random: () => 0.5,
    send: (message) => sent.push(`${clock.now()} ${message}`),
    known: () => table,
    onChange: () => found.push(end.address === undefined ? 'nobody' : formatAddress(end.address)),
  });
  end.start();
  return { clock, sent, found, table, end };
}

test('this end asks once, and advertises itself soon, and then at long intervals', () => {
  const { clock, sent, end } = link();
  clock.advance(24_000);
  assert.deepEqual(sent, [
    '0 solicitation',
    '0 advertisement',
    '3000 advertisement',
    '6000 advertisement',
    '14750 advertisement',
    '23500 advertisement',
  ]);
  end.stop();
  clock.advance(60_000);
  assert.equal(sent.length, 6);
});

test('who asks is answered at a random moment, but everybody at most every three seconds', () => {
  const { clock, sent, end } = link();
  clock.advance(7_000);
  for (let count = 0; count < 1_000; count++) {
    end.heard('solicitation', ONE);
    clock.advance(10);
  }
  assert.deepEqual(sent.slice(4), [
    '9250 advertisement',
    '12500 advertisement',
    '15750 advertisement',
  ]);
});

test('who advertises itself is the far end, and told once', () => {
  const { clock, found, end } = link();
  assert.equal(end.address, undefined);
  for (let count = 0; count < 3; count++) {
    end.heard('advertisement', ONE);
    clock.advance(10_000);
  }
  assert.deepEqual(found, ['fe80::1']);
});

test('what is advertised from elsewhere than the link counts for nothing', () => {
  const { found, end } = link();
  end.heard('advertisement', parseAddress('2001:db8::1'));
  assert.deepEqual(found, []);
});

test('a far end with another address is followed when the old one does not answer any more', () => {
  const { clock, found, sent, end } = link();
  end.heard('advertisement', ONE);
  clock.advance(20_000);
  end.heard('advertisement', TWO);
  assert.equal(sent.at(-1), '20000 solicitation');
  clock.advance(1_000);
  end.heard('advertisement', TWO);
  assert.deepEqual(found, ['fe80::1']);
  clock.advance(4_000);
  assert.deepEqual(found, ['fe80::1', 'fe80::2']);
  assert.equal(end.problem, undefined);
});

test('a second router on the link does not take the place of the first, and is told about', () => {
  const { clock, found, end } = link();
  end.heard('advertisement', ONE);
  const hearBoth = (): void => {
    for (const each of [TWO, ONE, TWO]) end.heard('advertisement', each);
    clock.advance(5_000);
  };
  hearBoth();
  hearBoth();
  assert.deepEqual(found, ['fe80::1', 'fe80::1']);
  assert.equal(end.problem, 'has two other routers: "fe80::1" is the peer, "fe80::2" is not');
  // While it is there, it stays said.
  for (let count = 0; count < 6; count++) {
    clock.advance(5_000);
    hearBoth();
  }
  assert.deepEqual(found, ['fe80::1', 'fe80::1']);
});

test('a second router that has gone without a word is told about no more', () => {
  const { clock, found, sent, end } = link();
  end.heard('advertisement', ONE);
  for (const each of [TWO, ONE, TWO]) end.heard('advertisement', each);
  clock.advance(5_000);
  assert.notEqual(end.problem, undefined);
  clock.advance(20_000);
  assert.ok(sent.includes('25000 solicitation'));
  end.heard('advertisement', ONE);
  clock.advance(5_000);
  assert.equal(end.problem, undefined);
  assert.equal(end.address, ONE);
  assert.deepEqual(found, ['fe80::1', 'fe80::1', 'fe80::1']);
  clock.advance(60_000);
  assert.equal(sent.filter((each) => each.endsWith('solicitation')).length, 3);
});

test('the only neighbour that the kernel knows is taken until a router advertises itself', () => {
  const { clock, found, table, end } = link([ONE]);
  assert.deepEqual(found, ['fe80::1']);
  table.push(TWO);
  clock.advance(20_000);
  assert.deepEqual(found, ['fe80::1']);
  end.heard('advertisement', TWO);
  assert.deepEqual(found, ['fe80::1', 'fe80::2']);
});

test('of two neighbours none is taken', () => {
  assert.deepEqual(link([ONE, TWO]).found, []);
});
