// What the core needs from outside. Adapters talk to the operating system; tests are its double.
import type { Address } from '@calico/ip';
import type { BfdStatus, BfdTarget } from './core/bfd/types.ts';
import type { BmpSettings } from './core/bmp/settings.ts';
import type { ChangeBatch } from './core/kernel/change_batch.ts';
import type { KernelRoute, OtherRoute, Resolution } from './core/kernel/types.ts';
import type { Loss } from './core/session/session.ts';
import type { PeerSocket } from './core/speaker/config.ts';

/** A byte stream to a peer. */
export interface Connection {
  /** False when the peer takes no more for now: wait for `drained`. */
  send(bytes: Uint8Array): boolean;
  /** No data for now: more has arrived than can be read. What is under way may still come. */
  pause?(): void;
  resume?(): void;
  /** Sends what is left, then closes. No callback follows. */
  close(): void;
  /**
   * Ends the connection of somebody who is not wanted, of whom nothing more is read.
   * @param farewell said before; absent: the far end sees a reset
   */
  turnAway?(farewell?: Uint8Array): void;
}

export type ConnectionHandler = {
  /** Only after dial(). */
  opened(): void;
  data(bytes: Uint8Array): void;
  drained(): void;
  /** Refused, lost, or closed by the peer. No other callback follows. */
  closed(reason: string): void;
};

export type DialTarget = {
  readonly address: Address;
  readonly port: number;
  readonly sourceAddress: Address | undefined;
  readonly socket: PeerSocket;
  /** Where a link-local address is. */
  readonly interface?: string | undefined;
};

export interface Transport {
  /** Starts to connect; the handler hears of the outcome, never before dial() has returned. */
  dial(target: DialTarget, handler: ConnectionHandler): Connection;
}

/** Watches paths. What it finds out comes by BgpNode.pathChanged(). */
export interface BfdPort {
  /** All that are wanted; those that stay the same are not disturbed. */
  configure(targets: readonly BfdTarget[]): void;
}

/** Finds out who is at the far end of links; tell BgpNode.deriveAgain() when that changes. */
export interface LinkPort {
  /** All links that are asked about. */
  configure(interfaces: readonly string[]): void;
  /** Link-local address of the router at the far end; undefined: nobody has been heard of yet. */
  neighbourOn(interfaceName: string): Address | undefined;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

/** What a BMP collector is told. */
export interface CollectorSource {
  /** A collector has been connected: begin with everything. */
  connected(): void;
  disconnected(): void;
  /** False: it has fallen too far behind and has to be connected anew. */
  readonly isConnected: boolean;
  /** The next bytes; undefined when it knows everything. */
  take(): Uint8Array | undefined;
  /** The last bytes. */
  farewell(): Uint8Array;
}

/** Keeps a connection to a BMP collector. */
export interface CollectorPort {
  /** Undefined: none is wanted. */
  configure(target: BmpSettings | undefined, source: CollectorSource): void;
  /** There is something to take. */
  wake(): void;
}

/** Keeps records of what peers say, a bounded number of bytes. */
export interface RecordingPort {
  /** Undefined: nothing more is kept. */
  configure(maxBytes: number | undefined): void;
  write(records: readonly Uint8Array[]): void;
}

/** Table main of the node's kernel, as far as this service owns it (protocol 12). */
export interface KernelPort {
  /** Routes of this service. @param visitOther is given all others of the table */
  list(visitOther: (route: OtherRoute) => void): KernelRoute[];
  /**
   * As list(), some at a time while others have their turn.
   * @param done is called in the end, with false when routes may have been left out
   */
  read(
    visit: (route: KernelRoute) => void,
    visitOther: (route: OtherRoute) => void,
    done: (isWhole: boolean) => void,
  ): void;
  /**
   * Begins to carry out all changes, in order, each for itself; after those of earlier calls. The batch must
   * not change before `done` is called with what failed, and no prefix may be in two of them.
   */
  apply(changes: ChangeBatch, done: (failures: readonly RouteFailure[]) => void): void;
  /**
   * Begins to take out the next hops that no other routes go through than those of these prefixes, and
   * these routes with them. Nothing else may be under way.
   * @param prefixes numbers of prefixes whose routes are to be removed
   * @param onGone is called with prefixes whose routes are gone, some at a time; in the end with `isLast`
   */
  removeWays(prefixes: Int32Array, onGone: (gone: Int32Array, isLast: boolean) => void): void;
  /** Removes routes by their `metric`. Those that cannot be removed are met again by read(). */
  removeStrays(routes: readonly KernelRoute[]): void;
  /**
   * How the kernel reaches the address now; undefined when it cannot.
   * @param interfaceName where a link-local address is
   */
  resolve(address: Address, interfaceName?: string): Resolution | undefined;
  /** Whether it is an address of this node, which resolve() knows no way to. */
  isLocal(address: Address): boolean;
  /**
   * Length of the prefix of the route that resolve() goes by; undefined where there is none, and where it leads
   * nowhere.
   */
  matchedLength(address: Address): number | undefined;
  /** The link-local address of an interface that is up. */
  linkLocalAddress(interfaceName: string): Address | undefined;
  /** Index of the interface when it exists and is up. */
  interfaceIndex(name: string): number | undefined;
  interfaceName(index: number): string | undefined;
}

export type RouteFailure = {
  /** Position in the batch. */
  readonly index: number;
  /** "EEXIST", "ENETUNREACH" … */
  readonly code: string;
  readonly message: string;
};

/** What this node tells the cluster about itself. */
export interface Reporter {
  peers(peers: readonly PeerStatus[]): void;
  /** The effect of everything up to the revision is in the kernel. */
  applied(revision: bigint, inSync: boolean): void;
  health(report: HealthReport): void;
}

export type HealthReport = {
  readonly ready: boolean;
  /** What is wrong, one sentence each. */
  readonly messages: readonly string[];
  /** What was wrong a while ago, and was put right: a sentence each. Was logged when it happened. */
  readonly recent: readonly string[];
};

export type PeerStatus = {
  /** What operators call it: the address, with the port where it is another one, and with the interface. */
  readonly key: string;
  readonly address: Address;
  readonly port: number;
  readonly remoteAsn: number;
  readonly type: 'mesh' | 'node' | 'global';
  /** Idle, Connect, Active, OpenSent, OpenConfirm, Established. */
  readonly state: string;
  /** Milliseconds since the epoch of the last change between up and down. */
  readonly since: number;
  /** Empty while established. */
  readonly lastError: string;
  /** What one end said or refused when they last spoke; empty while established. */
  readonly refusal: string;
  /** How often the session ended, and the last time; 0 and undefined for one that never did. */
  readonly losses: number;
  readonly lastLoss: Loss | undefined;
  /** Routes that import policy has let in. */
  readonly received: number;
  readonly rejected: number;
  /** Of those, what the peer has not repeated since it was away. */
  readonly stale: number;
  readonly advertised: number;
  readonly remoteNode: string | undefined;
  /** Undefined: the path is not watched. */
  readonly bfd: BfdStatus | undefined;
  /** As of PeerConfig. */
  readonly isPassing: boolean;
  /** What the session has agreed on, for people; empty while it is not established. */
  readonly agreed: readonly string[];
};

export interface Log {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

/** What the kernel's monitor saw. */
export type KernelNews =
  /** A route of ours appeared, changed or went. */
  | { readonly kind: 'route'; readonly action: 'new' | 'deleted'; readonly route: KernelRoute }
  /** Something that next hops may depend on changed; `to`: it matters to this address alone. */
  | { readonly kind: 'ways'; readonly to?: Address; readonly other?: OtherNews }
  /** The interface of a pod is down or gone, and all routes through it. */
  | { readonly kind: 'pod-link-down'; readonly interfaceIndex: number }
  /** Events were lost. */
  | { readonly kind: 'unknown' };

/** Somebody else has a route, or has it no more. */
export type OtherNews = {
  readonly action: 'new' | 'deleted';
  readonly route: OtherRoute;
};
