// What a node's BGP is made of, and what it reaches the world through.
import type { Clock } from '@calico/clock';
import type {
  BfdPort,
  CollectorPort,
  KernelPort,
  LinkPort,
  Log,
  RecordingPort,
  Reporter,
  Transport,
} from '../../ports.ts';
import type { SecretVersions } from '../cluster/secrets.ts';
import type { Surroundings } from '../cluster/surroundings.ts';
import type { Turns } from '../host/turns.ts';
import type { SpeakerOptions } from '../speaker/speaker.ts';
import type { Listen } from './listen.ts';

export type BgpNodeOptions = {
  readonly node: string;
  /** "" for the node's IPv4 address, "hash", or a dotted quad. */
  readonly routerId: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly transport: Transport;
  readonly kernel: KernelPort;
  readonly reporter: Reporter;
  readonly log: Log;
  /** Undefined: paths are not watched, whatever is configured. */
  readonly bfd?: BfdPort;
  /** Undefined: nobody is found at the far end of links. */
  readonly links?: LinkPort;
  /** Undefined: nobody is told, whatever is configured. */
  readonly collector?: CollectorPort;
  /** Undefined: nothing is recorded, whatever is configured. */
  readonly recording?: RecordingPort;
  /** Where to listen, and for whom, whenever that may have changed. */
  readonly onListen?: (listen: Listen | undefined) => void;
  /** Passwords that peers refer to; deriveAgain() when they change. */
  readonly secrets?: SecretVersions;
  /** As of Surroundings. */
  readonly serviceClusterIPs?: Surroundings['serviceClusterIPs'];
  readonly timing?: SpeakerOptions['timing'];
  /** Shared by all who put work off; by default each turn is a timer without delay. */
  readonly turns?: Turns;
  /** Is told every input of the speaker; see replaySpeaker(). */
  readonly record?: SpeakerOptions['record'];
};
