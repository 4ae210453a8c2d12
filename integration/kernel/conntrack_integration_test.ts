// Connection tracking entries that conntrack(8) makes, as @calico/netlink lists, marks and deletes them. Costs 1 s.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import { type Connection, type Conntrack, openConntrack } from '@calico/netlink';
import { cannotRun, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const MARK = 0x10000;
let host = '';
let conntrack: Conntrack;

function make(options: string): void {
  runIn(host, `conntrack -I -t 300 ${options}`);
}

function show({ original, mark }: Connection): string {
  const { source, destination, protocol, ports, icmp } = original;
  const more = ports ? `${ports.source}>${ports.destination}` : `${icmp?.id ?? 'none'}`;
  return `${formatAddress(source)} ${formatAddress(destination)} ${protocol} ${more} ${mark}`;
}

const shown = (): string[] => conntrack.list().map(show).toSorted();

describe('connection tracking', { skip: cannotRun, concurrency: false }, () => {
  before(() => {
    host = makeNetns();
    conntrack = openConntrack(netnsPath(host));
    make('-p tcp -s 10.65.0.1 -d 10.65.0.2 --sport 40000 --dport 80 --state ESTABLISHED -m 5');
    make(
      '-p tcp -s 10.65.0.1 -d 10.96.0.9 -r 10.65.0.3 -q 10.65.0.1 --sport 41000 --dport 80 ' +
        '--reply-port-src 8080 --reply-port-dst 41000 --state ESTABLISHED',
    );
    make('-p icmp -s 10.65.0.1 -d 10.65.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 77');
    make('-p udp -s fd00::1 -d fd00::2 --sport 5000 --dport 53 -w 3');
    make('-p 50 -s 10.65.0.4 -d 10.65.0.2');
  });

  test('list() has every entry of both families', () => {
    assert.deepEqual(shown(), [
      '10.65.0.1 10.65.0.2 1 77 0',
      '10.65.0.1 10.65.0.2 6 40000>80 5',
      '10.65.0.1 10.96.0.9 6 41000>80 0',
      '10.65.0.4 10.65.0.2 50 none 0',
      'fd00::1 fd00::2 17 5000>53 0',
    ]);
  });

  test('change() marks what it is told to, keeps other bits, and takes the mark away', () => {
    const all = conntrack.list();
    const mark = (set: boolean) =>
      all.map((connection) => ({ kind: 'mark' as const, connection, bits: MARK, set }));
    assert.deepEqual(conntrack.change(mark(true)), []);
    assert.ok(conntrack.list().every((one) => (one.mark & MARK) !== 0));
    assert.ok(shown().includes(`10.65.0.1 10.65.0.2 6 40000>80 ${MARK + 5}`));
    assert.deepEqual(conntrack.change(mark(false)), []);
    assert.ok(shown().includes('10.65.0.1 10.65.0.2 6 40000>80 5'));
  });

  test('change() deletes by tuple, protocol and zone; what is gone is no failure', () => {
    const some = conntrack.list().filter(({ original }) => original.protocol !== 6);
    const removals = some.map((connection) => ({ kind: 'delete' as const, connection }));
    assert.deepEqual(conntrack.change(removals), []);
    assert.deepEqual(shown(), [
      '10.65.0.1 10.65.0.2 6 40000>80 5',
      '10.65.0.1 10.96.0.9 6 41000>80 0',
    ]);
    assert.deepEqual(conntrack.change(removals), []);
  });

  test('forget() deletes what has the address at any end, also behind a translation', () => {
    conntrack.forget(parseAddress('10.65.0.9'));
    assert.equal(shown().length, 2);
    conntrack.forget(parseAddress('10.65.0.3'));
    assert.deepEqual(shown(), ['10.65.0.1 10.65.0.2 6 40000>80 5']);
    conntrack.forget(parseAddress('10.65.0.2'));
    assert.deepEqual(shown(), []);
  });
});
