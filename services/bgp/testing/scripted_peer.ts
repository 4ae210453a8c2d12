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
import type { AnyResource } from '@calico/model';
import { deriveSpeaker } from '../core/cluster/derive_speaker.ts';
import { resourcesOf } from '../core/cluster/resources.ts';
import { Host } from '../core/host/host.ts';
import type { Note, SpeakerInput } from '../core/speaker/events.ts';
import type { Peer } from '../core/speaker/peer.ts';
import { Speaker } from '../core/speaker/speaker.ts';
import type { ConnectionHandler } from '../ports.ts';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';

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

/** The node and its peer with the options of a BGPPeer. */
export function withOptions(options: object): readonly AnyResource[] {
  const spec = { node: 'a', peerIP: ADDRESS, asNumber: ASN, ...options };
  const mesh = bgpConfiguration({ asNumber: ASN, nodeToNodeMeshEnabled: false });
  return [mesh, ...RESOURCES.slice(1), bgpPeer('b', spec)];
}

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
  readonly notes: Note[] = [];
  /** What the peer has heard. */
  readonly heard: Message[] = [];
  readonly #host: Host;
  #handler: ConnectionHandler | undefined;
  #isReading = true;

  /**
   * The session is established.
   * @param msPerInput how long the speaker takes for each thing that it is told
   */
  constructor(
    capabilities: readonly Capability[] = [],
    msPerInput = 0,
    resources: readonly AnyResource[] = RESOURCES,
  ) {
    const { clock } = this;
    const record = (input: SpeakerInput): void => {
      this.inputs.push(input);
      clock.workedMs += msPerInput;
    };
    this.speaker = new Speaker({ isRestarted: false, record });
    this.#host = new Host({
      speaker: this.speaker,
      transport: { dial: () => ({ send: () => true, close: () => {} }) },
      clock,
      random: () => 0,
      onRoutes: () => {},
      onNote: (note) => this.notes.push(note),
    });
    this.configure(resources);
    this.#host.completeExports();
    this.connect(capabilities);
    this.inputs.length = 0;
    this.heard.length = 0;
  }

  configure(resources: readonly AnyResource[]): void {
    const { derived } = deriveSpeaker('a', '', resourcesOf(resources));
    assert.ok(derived);
    this.#host.configure(derived.speaker);
  }

  /** Dials, or somebody else does; how the connection ends at once, if it does. */
  dial(from = ADDRESS): 'open' | 'closed' | 'turned away' {
    let state: 'open' | 'closed' | 'turned away' = 'open';
    const framer = new MessageFramer();
    const send = (bytes: Uint8Array): boolean => {
      framer.push(bytes);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        this.heard.push(decodeMessage(frame, CONTEXT));
      }
      return this.#isReading;
    };
    const close = (): void => {
      state = 'closed';
    };
    const turnAway = (farewell?: Uint8Array): void => {
      if (farewell !== undefined) send(farewell);
      state = 'turned away';
    };
    this.#handler = this.#host.accept(parseAddress(from), { send, close, turnAway });
    return state;
  }

  /** Dials, and establishes the session. */
  connect(capabilities: readonly Capability[] = []): void {
    this.dial();
    const all = [{ kind: 'four-octet-as', asn: ASN } as const, ...capabilities];
    const routerId = 0x01010101;
    this.say({ kind: 'open', asn: ASN, holdTimeSeconds: 90, routerId, capabilities: all });
    this.say(KEEPALIVE);
    this.clock.advance(100);
    assert.ok(this.peer.live !== undefined);
  }

  get peer(): Peer {
    const peer = this.speaker.peers.get(ADDRESS);
    assert.ok(peer !== undefined);
    return peer;
  }

  /** While it does not, the speaker's next message is the last that its connection takes. */
  set isReading(isReading: boolean) {
    this.#isReading = isReading;
    if (isReading) this.#handler?.drained();
  }

  /** All at once, as one piece. */
  say(...messages: readonly Message[]): void {
    this.sayBytes(Buffer.concat(messages.map((message) => encodeMessage(message, CONTEXT))));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#handler?.data(bytes);
  }

  hangUp(): void {
    this.#handler?.closed('Connection closed by peer');
  }
}
