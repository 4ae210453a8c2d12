// A node that exists for nobody, with peers that are imagined: it takes in, decides, tells and programs a
// small table again and again, so that the runtime has compiled what a real table needs before one comes.
// Code that is new to the runtime is many times slower, and its compilers take as much time again.
import { encodeMessage, KEEPALIVE } from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import type { Connection, ConnectionHandler, KernelPort } from '../../ports.ts';
import { BgpNode } from '../node/bgp_node.ts';
import { CONTEXT, type ImaginedPeer, linesOf, openOf, PEERS, resourcesFor } from './script.ts';

/** So many make all of it fast; the first take some milliseconds each, the last less than one. */
const SCENES = 120;
const NAME = 'rehearsal';

type Actor = { readonly handler: ConnectionHandler; readonly lines: readonly Uint8Array[] };

export class Rehearsal {
  readonly #node: BgpNode;
  readonly #actors: Actor[] = [];
  readonly #deferred: (() => void)[] = [];
  #played = 0;

  constructor() {
    this.#node = new BgpNode({
      node: NAME,
      routerId: '',
      // Stands still: no timer disturbs a scene.
      clock: new FakeClock(),
      random: () => 0,
      defer: (callback) => this.#deferred.push(callback),
      transport: { dial: () => NOBODY },
      kernel: NOWHERE,
      reporter: { peers: ignore, applied: ignore, health: ignore },
      log: { info: ignore, warn: ignore },
    });
    this.#node.setResources(resourcesFor(NAME), { inSync: true, revision: 1n });
  }

  /** Paths in the node's tables. */
  get paths(): number {
    return this.#node.speaker.rib.paths.size;
  }

  get kernelRoutes(): number {
    return this.#node.kernelRouteCount;
  }

  /** Plays one scene more; whether there is another. In the first an actor each comes in. */
  next(): boolean {
    const newcomer = PEERS[this.#actors.length];
    if (newcomer !== undefined) {
      this.#enter(newcomer);
      return true;
    }
    for (const { handler, lines } of this.#actors) {
      const line = lines[this.#played % lines.length];
      if (line !== undefined) this.#say(handler, line);
    }
    this.#played += 1;
    return this.#played < SCENES;
  }

  #enter(peer: ImaginedPeer): void {
    const handler = this.#node.accept(peer.address, NOBODY);
    this.#say(handler, encodeMessage(openOf(peer), CONTEXT));
    this.#say(handler, encodeMessage(KEEPALIVE, CONTEXT));
    this.#actors.push({ handler, lines: linesOf(peer) });
  }

  #say(handler: ConnectionHandler, bytes: Uint8Array): void {
    handler.data(bytes);
    for (let work = this.#deferred.shift(); work !== undefined; work = this.#deferred.shift()) {
      work();
    }
  }
}

const NOBODY: Connection = { send: () => true, pause: () => {}, resume: () => {}, close: () => {} };

/** Takes every route, and keeps none. */
const NOWHERE: KernelPort = {
  list: () => [],
  read: (_visit, done) => done(true),
  apply: (_changes, done) => done([]),
  removeWays: (prefixes, onGone) => onGone(prefixes, true),
  resolve: () => ({ gateway: undefined, interfaceIndex: 1 }),
  linkLocalAddress: () => undefined,
  interfaceIndex: () => undefined,
  interfaceName: () => undefined,
};

function ignore(): void {}
