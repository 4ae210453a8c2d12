// The peers of a derivation as they are found, and what is wrong with them.
import {
  type Address,
  formatAddress,
  formatPrefix,
  hostPrefix,
  parseAddress,
  parsePrefix,
} from '@calico/ip';
import type { BGPPeer } from '@calico/model';
import type { AwaitedPeer, PeerConfig } from '../speaker/config.ts';
import type { PeerRange } from '../speaker/guests.ts';
import { given, type NodeView } from './node_view.ts';
import { PeerClaims } from './peer_claims.ts';
import { BGP_PORT, peerKey } from './peer_key.ts';
import type { FarEnd, PeerMaker, Settings } from './peer_maker.ts';
import { restartProblem } from './peer_options.ts';

/** Of one range, unless the BGPPeer says otherwise. */
const MAX_PEERS = 100;

export type PeerDerivation = {
  readonly peers: ReadonlyMap<string, PeerConfig>;
  /** Those that cannot be spoken to yet, by key. */
  readonly awaited: ReadonlyMap<string, AwaitedPeer>;
  /** Keys of the mesh's peers that the topology leaves out. */
  readonly leftOut: ReadonlySet<string>;
  readonly ranges: readonly PeerRange[];
  readonly problems: readonly string[];
  /** How peers behind gateways are reached (BGPPeer.reachableBy). */
  readonly reachableBy: readonly StaticRoute[];
  /** Links whose far ends are peers (BGPPeer.peerInterface). */
  readonly links: readonly string[];
};

/** A route to one address. */
export type StaticRoute = { readonly address: Address; readonly gateway: Address };

/** What comes later takes the place of what is there. */
export class PeerBook implements PeerDerivation {
  readonly peers = new Map<string, PeerConfig>();
  readonly awaited = new Map<string, AwaitedPeer>();
  readonly leftOut = new Set<string>();
  readonly links: string[] = [];
  readonly problems: string[] = [];
  readonly #ranges = new Map<string, PeerRange>();
  readonly #reachableBy = new Map<string, StaticRoute>();
  readonly #claims = new PeerClaims();
  readonly #maker: PeerMaker;
  /** Begins the problems of what is being derived. */
  #attempted = '';

  constructor(maker: PeerMaker) {
    this.#maker = maker;
  }

  get ranges(): readonly PeerRange[] {
    return [...this.#ranges.values()];
  }

  get reachableBy(): readonly StaticRoute[] {
    return [...this.#reachableBy.values()];
  }

  /** A resource that another writer stored with broken fields costs that resource only. */
  attemptPeer(peer: BGPPeer, add: () => void): void {
    this.attempt(`Cannot use BGPPeer "${peer.metadata.name}"`, add);
  }

  attempt(what: string, add: () => void): void {
    this.#attempted = what;
    try {
      add();
    } catch (cause) {
      this.#tell(cause instanceof Error ? cause.message : String(cause));
    }
  }

  add(farEnd: FarEnd, settings: Settings): void {
    const { reachableBy } = settings.spec;
    const { address } = farEnd;
    if (given(reachableBy)) {
      const gateway = parseAddress(reachableBy);
      this.#reachableBy.set(formatAddress(address), { address, gateway });
    }
    const key = peerKey(address, farEnd.port, farEnd.interface);
    const lack = this.#maker.lackOf(settings.spec, farEnd.interface);
    if (lack === undefined) {
      this.#put(this.#make(farEnd, settings), settings.resource);
      this.awaited.delete(key);
    } else {
      // Nor is it spoken to as something less explicit has it.
      this.peers.delete(key);
      this.awaited.set(key, { prefix: hostPrefix(address), interface: farEnd.interface });
      this.#tell(lack);
    }
  }

  /** Whoever comes from inside of it. */
  addRange(text: string, settings: Settings): void {
    const prefix = parsePrefix(text);
    const key = formatPrefix(prefix);
    const lack = this.#maker.lackOf(settings.spec, undefined);
    if (lack !== undefined) {
      this.#ranges.delete(key);
      this.awaited.set(key, { prefix, interface: undefined });
      return this.#tell(lack);
    }
    const { maxPeers = MAX_PEERS } = settings.spec;
    const asn = this.#maker.asnOf(settings.spec);
    const farEnd = { address: prefix, port: BGP_PORT, asn, node: undefined };
    const template = this.#make(farEnd, settings);
    const session = { ...template.session, isPassive: true };
    // The path is watched once there is somebody at its end.
    const passive = { ...template, session, bfd: undefined };
    this.awaited.delete(key);
    this.#ranges.set(key, { prefix, limit: maxPeers, template: passive });
  }

  /**
   * The far end of a link; who it is will be known once it has advertised itself.
   * @param address as far as that is known
   */
  addLink(interfaceName: string, address: Address | undefined, settings: Settings): void {
    const asn = this.#maker.asnOf(settings.spec);
    if (!this.links.includes(interfaceName)) this.links.push(interfaceName);
    if (address !== undefined) {
      const farEnd = { address, port: BGP_PORT, asn, node: undefined };
      return this.add({ ...farEnd, interface: interfaceName }, settings);
    }
    this.awaited.set(interfaceName, { prefix: undefined, interface: interfaceName });
    this.#maker.linkLocalOf(interfaceName);
    throw new Error(`nobody has advertised itself on interface "${interfaceName}" yet`);
  }

  leaveOut({ address, listenPort }: NodeView): void {
    for (const each of [address[4], address[6]]) {
      if (each !== undefined) this.leftOut.add(peerKey(each, listenPort));
    }
  }

  #put(config: PeerConfig, resource: string | undefined): void {
    this.peers.set(config.key, config);
    const problem = resource === undefined ? undefined : this.#claims.take(resource, config);
    if (problem !== undefined) this.problems.push(problem);
  }

  #make(farEnd: FarEnd, settings: Settings): PeerConfig {
    const restart = restartProblem(settings.type, settings.spec, settings.resource);
    if (restart !== undefined) this.#note(restart);
    return this.#maker.make(farEnd, settings, (problem) => this.problems.push(problem));
  }

  #tell(reason: string): void {
    this.#note(`${this.#attempted}: ${reason}`);
  }

  /** Once, of however many peers it is said. */
  #note(problem: string): void {
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }
}
