// An external peer has a way to every block at any moment, whatever list of aggregates comes or goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_CONTEXT,
  decodeMessage,
  encodeMessage,
  KEEPALIVE,
  MessageFramer,
  Origin,
  type WireContext,
} from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import { formatPrefix, type Prefix, parseAddress } from '@calico/ip';
import { deriveSpeaker } from '../core/cluster/derive_speaker.ts';
import { resourcesOf } from '../core/cluster/resources.ts';
import { Host } from '../core/host/host.ts';
import { Speaker } from '../core/speaker/speaker.ts';
import { bgpConfiguration, bgpPeer, node, pool } from './resources.ts';

const ADDRESS = '192.168.80.101';
const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };
const PARTS = 4_096;
const WIDE = '10.244.0.0/16';
const WIDER = '10.0.0.0/8';
const HALVES = ['10.244.0.0/17', '10.244.128.0/17'];

class Listener {
  readonly clock = new FakeClock();
  readonly told = new Set<string>();
  /** Moments without a way to everything. */
  gaps = 0;
  readonly #speaker = new Speaker({ isRestarted: false });
  readonly #host: Host;
  readonly #framer = new MessageFramer();
  #isWatching = false;

  constructor() {
    this.#host = new Host({
      speaker: this.#speaker,
      transport: { dial: () => ({ send: () => true, close: () => {} }) },
      clock: this.clock,
      random: () => 0,
      onRoutes: () => {},
      onNote: () => {},
    });
    this.aggregate();
    this.#host.completeExports();
    this.inject(0);
    const handler = this.#host.accept(parseAddress(ADDRESS), {
      send: (bytes) => this.#hear(bytes),
      close: () => {},
    });
    const capabilities = [{ kind: 'four-octet-as', asn: 65_001 } as const];
    const open = {
      kind: 'open',
      asn: 65_001,
      holdTimeSeconds: 0,
      routerId: 1,
      capabilities,
    } as const;
    handler.data(encodeMessage(open, CONTEXT));
    handler.data(encodeMessage(KEEPALIVE, CONTEXT));
    this.clock.advance(100);
    this.#isWatching = true;
  }

  aggregate(...cidrs: string[]): void {
    const aggregates = cidrs.map((cidr) => ({ cidr }));
    const { derived } = deriveSpeaker(
      'a',
      '',
      resourcesOf([
        bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false, aggregates }),
        pool(WIDE),
        node('a', '192.168.80.100/24'),
        bgpPeer('peer', { peerIP: ADDRESS, asNumber: 65_001, passive: true }),
      ]),
    );
    assert.ok(derived);
    this.#host.configure(derived.speaker);
    this.clock.advance(100);
  }

  /** All parts, with this metric; told in the turn that comes. */
  inject(multiExitDiscriminator: number): void {
    const data = {
      attributes: { origin: Origin.Igp, asPath: [], multiExitDiscriminator },
      nextHop: { family: 4 as const, value: 0n },
    };
    const routes = Array.from({ length: PARTS }, (_, part) => ({ prefix: partAt(part), data }));
    this.#speaker.handle({ kind: 'inject', client: 'test', routes }, this.clock.now());
  }

  #hear(bytes: Uint8Array): boolean {
    this.#framer.push(bytes);
    for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
      const message = decodeMessage(frame, CONTEXT);
      if (message.kind !== 'update') continue;
      for (const { prefix } of message.withdrawn) this.told.delete(formatPrefix(prefix));
      for (const { prefix } of message.announced) this.told.add(formatPrefix(prefix));
      if (this.#isWatching && !this.#hasAll()) this.gaps += 1;
    }
    return true;
  }

  #hasAll(): boolean {
    const { told } = this;
    if (told.has(WIDE) || told.has(WIDER) || HALVES.every((half) => told.has(half))) return true;
    return told.size >= PARTS;
  }
}

function partAt(part: number): Prefix {
  return { family: 4, value: 0x0af4_0000n + BigInt(part) * 16n, length: 28 };
}

const LISTS = [[WIDE], [WIDER], HALVES, [WIDER], [], HALVES, [WIDE], [], [WIDER], HALVES, []];

for (const isChurning of [false, true]) {
  const meanwhile = isChurning ? ', while all parts change' : '';
  test(`lists of aggregates come and go without a gap${meanwhile}`, () => {
    const listener = new Listener();
    assert.equal(listener.told.size, PARTS);
    for (const [turn, list] of LISTS.entries()) {
      if (isChurning) listener.inject(turn + 1);
      listener.aggregate(...list);
      assert.equal(listener.gaps, 0, list.join());
      if (list.length === 1) assert.deepEqual([...listener.told], list);
      if (list.length === 0) assert.equal(listener.told.size, PARTS);
    }
  });
}
