// A speaker in its host, and one peer that says what the test wants.
import assert from 'node:assert/strict';
import {
  type Capability,
  DEFAULT_CONTEXT,
  decodeMessage,
  encodeMessage,
  KEEPALIVE,
  type Message,
  MessageFramer,
} from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import { deriveSpeaker } from '../core/cluster/derive_speaker.ts';
import { resourcesOf } from '../core/cluster/resources.ts';
import { Host } from '../core/host/host.ts';
import type { SpeakerInput } from '../core/speaker/events.ts';
import type { Peer } from '../core/speaker/peer.ts';
import { Speaker } from '../core/speaker/speaker.ts';
import type { ConnectionHandler } from '../ports.ts';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';

const ASN = 64_512;
const ADDRESS = '192.168.80.101';
const CONTEXT = { ...DEFAULT_CONTEXT, fourOctetAs: true, peerKind: 'internal' } as const;
const RESOURCES = [
  bgpConfiguration({ asNumber: ASN }),
  pool('10.244.0.0/16'),
  node('a', '192.168.80.100/24'),
  node('b', `${ADDRESS}/24`),
  affinity('a', '10.244.1.0/26'),
];

/** Time passes while the speaker works. */
export class WorkingClock extends FakeClock {
  workedMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.workedMs;
  }
}

export class ScriptedPeer {
  readonly clock = new WorkingClock();
  readonly speaker: Speaker;
  /** What the speaker was told. */
  readonly inputs: SpeakerInput[] = [];
  /** What the peer has heard. */
  readonly heard: Message[] = [];
  readonly #handler: ConnectionHandler;
  #isReading = true;

  /**
   * The session is established.
   * @param msPerInput how long the speaker takes for each thing that it is told
   */
  constructor(capabilities: readonly Capability[] = [], msPerInput = 0) {
    const { clock, inputs } = this;
    const record = (input: SpeakerInput): void => {
      inputs.push(input);
      clock.workedMs += msPerInput;
    };
    this.speaker = new Speaker({ isRestarted: false, record });
    const host = new Host({
      speaker: this.speaker,
      transport: { dial: () => ({ send: () => true, close: () => {} }) },
      clock,
      random: () => 0,
      onRoutes: () => {},
      onNote: () => {},
    });
    const { derived } = deriveSpeaker('a', '', resourcesOf(RESOURCES));
    assert.ok(derived);
    host.configure(derived.speaker);
    host.completeExports();
    const framer = new MessageFramer();
    const send = (bytes: Uint8Array): boolean => {
      framer.push(bytes);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        this.heard.push(decodeMessage(frame, CONTEXT));
      }
      return this.#isReading;
    };
    this.#handler = host.accept(parseAddress(ADDRESS), { send, close: () => {} });
    const all = [{ kind: 'four-octet-as', asn: ASN } as const, ...capabilities];
    const routerId = 0x01010101;
    this.say({ kind: 'open', asn: ASN, holdTimeSeconds: 90, routerId, capabilities: all });
    this.say(KEEPALIVE);
    clock.advance(100);
    assert.ok(this.peer.live !== undefined);
    inputs.length = 0;
    this.heard.length = 0;
  }

  get peer(): Peer {
    const peer = this.speaker.peers.get(ADDRESS);
    assert.ok(peer !== undefined);
    return peer;
  }

  /** While it does not, the speaker's next message is the last that its connection takes. */
  set isReading(isReading: boolean) {
    this.#isReading = isReading;
    if (isReading) this.#handler.drained();
  }

  /** All at once, as one piece. */
  say(...messages: readonly Message[]): void {
    this.#handler.data(Buffer.concat(messages.map((message) => encodeMessage(message, CONTEXT))));
  }

  hangUp(): void {
    this.#handler.closed('Connection closed by peer');
  }
}
