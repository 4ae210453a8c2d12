import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Afi,
  DEFAULT_CONTEXT,
  encodeMessage,
  endOfRib,
  KEEPALIVE,
  type Message,
} from '@calico/bgp-wire';
import { formatPrefix, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { WorkingClock, withOptions } from '../../testing/scripted_peer.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { BgpNode } from './bgp_node.ts';

const ASN = 64_512;
const PEER = parseAddress('192.168.80.101');
const CONTEXT = { ...DEFAULT_CONTEXT, fourOctetAs: true, peerKind: 'internal' } as const;
const PER_UPDATE = 500;
const COUNT = 20_000;
/** A turn is over after one decision about a few. */
const TURN_MS = 10;

const nothing = (): void => {};

/** A node that finds routes in the kernel, and that decides far more slowly than it reads. */
function restarted(routes: readonly Prefix[]) {
  const clock = new WorkingClock();
  const kernel = new FakeKernel();
  const hops = [{ gateway: PEER, interfaceIndex: 2, onlink: false }];
  for (const prefix of routes) {
    kernel.routes.set(formatPrefix(prefix), { prefix, type: 'unicast', hops });
  }
  const connection = { send: () => true, close: nothing };
  const node = new BgpNode({
    node: 'a',
    routerId: '',
    clock,
    random: () => 0,
    kernel,
    transport: { dial: () => connection },
    reporter: { peers: nothing, applied: nothing, health: nothing },
    log: { info: nothing, warn: nothing },
    record: ({ kind }) => {
      if (kind === 'flush') clock.workedMs += TURN_MS;
    },
  });
  node.setResources(resourcesOf(withOptions({})), { inSync: true, revision: 1n });
  clock.advance(10);
  const handler = node.accept(PEER, connection);
  const say = (...messages: readonly Message[]): void =>
    handler.data(Buffer.concat(messages.map((message) => encodeMessage(message, CONTEXT))));
  const families = [{ afi: Afi.Ipv4, safi: 1, forwarding: true }];
  const restart = { restarting: false, notification: false, restartTimeSeconds: 300, families };
  say({
    kind: 'open',
    asn: ASN,
    holdTimeSeconds: 90,
    routerId: 0x01010101,
    capabilities: [
      { kind: 'four-octet-as', asn: ASN },
      { kind: 'graceful-restart', ...restart },
    ],
  });
  say(KEEPALIVE);
  clock.advance(100);
  // The own block.
  kernel.log.length = 0;
  return { node, kernel, clock, say };
}

function updates(prefixes: readonly Prefix[]): Message[] {
  return Array.from({ length: Math.ceil(prefixes.length / PER_UPDATE) }, (_, index) => {
    const some = prefixes.slice(index * PER_UPDATE, (index + 1) * PER_UPDATE);
    return {
      kind: 'update',
      attributes: { origin: 0, asPath: [], localPreference: 100, nextHop: PEER },
      announced: some.map((prefix) => ({ prefix })),
      withdrawn: [],
      problems: [],
    };
  });
}

test('after a restart no route goes that a peer has told and that is to be decided on yet', () => {
  const prefixes = Array.from({ length: COUNT }, (_, index) =>
    parsePrefix(`10.${index >> 12}.${(index >> 4) & 255}.${(index & 15) << 4}/28`),
  );
  const nobodys = parsePrefix('10.200.0.0/28');
  const { node, kernel, clock, say } = restarted([...prefixes, nobodys]);
  say(...updates(prefixes), endOfRib(4));
  for (let ms = 0; ms < 2_000; ms++) clock.advance(1);
  assert.equal(node.speaker.rib.size, COUNT + 1, 'and the own block');
  // Of a few: thousands would take long to be shown.
  assert.deepEqual(kernel.log.slice(0, 5), ['Deleted 10.200.0.0/28 via 192.168.80.101']);
});
