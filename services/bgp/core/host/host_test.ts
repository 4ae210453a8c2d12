import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeFrame,
  encodeMessage,
  joinBytes,
  KEEPALIVE,
  MessageType,
  Origin,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import type { ConnectionHandler } from '../../ports.ts';
import { bgpConfiguration, bgpPeer, node } from '../../testing/resources.ts';
import { ScriptedPeer, WorkingClock } from '../../testing/scripted_peer.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { Speaker } from '../speaker/speaker.ts';
import { Host } from './host.ts';

const FLOOD = Array(5_000).fill(KEEPALIVE);

test('KEEPALIVEs cost no look at the tables', () => {
  const peer = new ScriptedPeer();
  peer.say(...FLOOD);
  peer.clock.advance(100);
  const kinds = Map.groupBy(peer.inputs, ({ kind }) => kind);
  assert.equal(kinds.get('event')?.length, FLOOD.length);
  assert.ok((kinds.get('flush')?.length ?? 0) < 10, `${kinds.get('flush')?.length} flushes`);
});

test('a KEEPALIVE that is read right after the hold time is over counts', () => {
  const peer = new ScriptedPeer();
  const { clock } = peer;
  // 90 s from the first, which came 100 ms ago; as if the loop had been busy when this one arrived.
  clock.setTimer(89_950, () => peer.say(KEEPALIVE));
  clock.advance(91_000);
  assert.ok(peer.peer.live !== undefined);
  clock.advance(90_000);
  assert.equal(peer.peer.live, undefined);
});

test('a flood of small messages does not hold a turn longer than it may last', () => {
  const peer = new ScriptedPeer([], 1);
  const { clock } = peer;
  peer.say(...FLOOD);
  const begin = clock.workedMs;
  let worked = 0;
  // Comes after the first turn.
  clock.setTimer(0, () => {
    worked = clock.workedMs - begin;
  });
  clock.advance(0);
  assert.ok(worked > 0 && worked < 20, `${worked} ms`);
});

test('a broken message that is as long as any may be is answered, before OPEN and after', () => {
  const whole = encodeFrame(MessageType.RouteRefresh, new Uint8Array(4_077));
  const answer = (peer: ScriptedPeer): Uint8Array => {
    peer.sayBytes(whole);
    peer.clock.advance(100);
    const last = peer.heard.at(-1);
    assert.ok(last?.kind === 'notification');
    return Uint8Array.of(last.code, last.subcode, ...last.data);
  };
  const established = new ScriptedPeer();
  assert.deepEqual(answer(established), Uint8Array.of(7, 1, ...whole.subarray(0, 4_075)));
  const other = new ScriptedPeer();
  other.hangUp();
  other.clock.advance(100);
  other.dial();
  assert.deepEqual(answer(other), Uint8Array.of(5, 1, MessageType.RouteRefresh));
});

/** Peers with sessions to a host that needs a quarter of a millisecond for each thing that it is told. */
class Crowd {
  readonly clock = new WorkingClock();
  readonly speaker: Speaker;
  /** Times that the host has decided. */
  flushes = 0;
  readonly #handlers: readonly ConnectionHandler[];

  constructor(size: number) {
    this.speaker = new Speaker({
      isRestarted: false,
      record: ({ kind }) => {
        this.clock.workedMs += 0.25;
        if (kind === 'flush') this.flushes += 1;
      },
    });
    const connection = { send: () => true, close: () => {} };
    const host = new Host({
      speaker: this.speaker,
      transport: { dial: () => connection },
      clock: this.clock,
      random: () => 0,
      onRoutes: () => {},
      onNote: () => {},
    });
    host.configure(withPeers(size));
    this.#handlers = addressesOf(size).map((address) => {
      const handler = host.accept(parseAddress(address), connection);
      this.#say(handler, encodeMessage(OPEN, DEFAULT_CONTEXT));
      this.#say(handler, encodeMessage(KEEPALIVE, DEFAULT_CONTEXT));
      return handler;
    });
    this.flushes = 0;
  }

  #say(handler: ConnectionHandler, bytes: Uint8Array): void {
    handler.data(bytes);
    this.clock.advance(1);
  }

  /** All tell a prefix each, at the same moment. */
  announce(): void {
    for (const [index, handler] of this.#handlers.entries()) {
      const nlri = [{ prefix: parsePrefix(`10.244.${index}.0/26`) }];
      const attributes = { origin: Origin.Igp, asPath: [], localPreference: 100 };
      const route = { family: 4, nextHop: parseAddress('192.168.80.9'), attributes, nlri } as const;
      handler.data(joinBytes(encodeAnnouncement(route, DEFAULT_CONTEXT)));
    }
    this.clock.advance(100);
  }
}

test('what peers tell at once is decided on together, also by a host that needs several turns for it', () => {
  const crowd = new Crowd(40);
  crowd.announce();
  assert.equal(crowd.speaker.rib.paths.size, 40);
  assert.ok(crowd.flushes <= 4, `${crowd.flushes} times`);
});

/** A host that needs a millisecond for each connection that it dials. */
class Dialling {
  readonly clock = new WorkingClock();
  /** Ports, in order. */
  readonly dialled: number[] = [];
  closed = 0;
  readonly #host = new Host({
    speaker: new Speaker({ isRestarted: false }),
    transport: {
      dial: ({ port }) => {
        this.dialled.push(port);
        this.clock.workedMs += 1;
        return { send: () => true, close: () => void (this.closed += 1) };
      },
    },
    clock: this.clock,
    random: () => 0,
    onRoutes: () => {},
    onNote: () => {},
  });

  configure(peers: number): void {
    this.#host.configure(withPeers(peers));
  }

  /** A peer connects, by its position. */
  accept(index: number): void {
    const [address = ''] = addressesOf(index + 1).slice(index);
    this.#host.accept(parseAddress(address), { send: () => true, close: () => {} });
  }
}

const OPEN = {
  kind: 'open',
  asn: 64_512,
  holdTimeSeconds: 90,
  routerId: 0x01010101,
  capabilities: [{ kind: 'four-octet-as', asn: 64_512 }],
} as const;
const FIRST_HOST = 101;
const FIRST_PORT = 1_001;

function addressesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `192.168.80.${FIRST_HOST + index}`);
}

function withPeers(count: number): SpeakerConfig {
  const { derived } = deriveSpeaker(
    'a',
    '',
    resourcesOf([
      bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false }),
      node('a', '192.168.80.100/24'),
      ...addressesOf(count).map((address, index) => {
        const peerIP = `${address}:${FIRST_PORT + index}`;
        return bgpPeer(`peer-${index}`, { peerIP, asNumber: 64_512 });
      }),
    ]),
  );
  assert.ok(derived);
  return derived.speaker;
}

test('many peers are dialled over some turns, from the one on that follows, each once', () => {
  const dialling = new Dialling();
  const { clock, dialled } = dialling;
  dialling.configure(100);
  assert.deepEqual(dialled, []);
  clock.setTimer(0, () => {
    const first = dialled.length;
    assert.ok(first > 0 && first < 20, `${first} in the first turn`);
  });
  clock.advance(0);
  const ports = Array.from({ length: 100 }, (_, index) => FIRST_PORT + index);
  assert.deepEqual(
    dialled.toSorted((a, b) => a - b),
    ports,
  );
});

test('peers that connect do not make a turn longer in which others are dialled', () => {
  const dialling = new Dialling();
  dialling.configure(100);
  dialling.clock.setTimer(0, () => {
    const before = dialling.dialled.length;
    for (let index = 20; index < 100; index++) dialling.accept(index);
    const { length } = dialling.dialled;
    assert.ok(length - before < 20, `${length - before} more`);
  });
  dialling.clock.advance(0);
  assert.ok(dialling.dialled.length >= 20);
});

test('who is a peer no more is not dialled', () => {
  const dialling = new Dialling();
  dialling.configure(100);
  dialling.configure(3);
  dialling.clock.advance(0);
  assert.equal(dialling.dialled.length - dialling.closed, 3);
  assert.ok(dialling.dialled.length < 20);
});
