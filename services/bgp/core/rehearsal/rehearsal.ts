// A node that exists for nobody, with peers that are imagined: it takes in, decides, tells and programs a
// small table again and again, so that the runtime has compiled what a real table needs before one comes.
// Code that is new to the runtime is many times slower, and its compilers take as much time again.
import { encodeMessage, joinBytes, KEEPALIVE } from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import type { Connection, ConnectionHandler, KernelPort } from '../../ports.ts';
import { BgpNode } from '../node/bgp_node.ts';
import {
  CONTEXT,
  type ImaginedPeer,
  type Line,
  linesOf,
  openOf,
  PEERS,
  resourcesFor,
} from './script.ts';

/** So many make all of it fast. */
const SCENES = 120;
/** Scenes of which every message is a step, as most of their code runs for the first time. */
const SLOW_SCENES = 3;
const NAME = 'rehearsal';

type Actor = { readonly handler: ConnectionHandler; readonly lines: readonly Line[] };

export class Rehearsal {
  readonly #node: BgpNode;
  readonly #actors: Actor[] = [];
  readonly #deferred: (() => void)[] = [];
  readonly #steps = this.#play();

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
  }

  /** Paths in the node's tables. */
  get paths(): number {
    return this.#node.speaker.rib.paths.size;
  }

  get kernelRoutes(): number {
    return this.#node.kernelRouteCount;
  }

  /** Plays a step more: a few milliseconds of code that is new, or a scene. Whether there is another. */
  next(): boolean {
    return this.#steps.next().done !== true;
  }

  *#play(): Generator<void, void, undefined> {
    const resources = resourcesFor(NAME);
    yield;
    this.#node.setResources(resources, { inSync: true, revision: 1n });
    for (const peer of PEERS) yield* this.#enter(peer);
    for (let scene = 0; scene < SCENES; scene++) {
      for (const { handler, lines } of this.#actors) {
        const line = lines[scene % lines.length];
        if (line === undefined) continue;
        for (const piece of scene < SLOW_SCENES ? line : [joinBytes(line)]) {
          yield;
          this.#say(handler, piece);
        }
      }
    }
  }

  *#enter(peer: ImaginedPeer): Generator<void, void, undefined> {
    yield;
    const handler = this.#node.accept(peer.address, NOBODY);
    for (const message of [openOf(peer), KEEPALIVE]) {
      yield;
      this.#say(handler, encodeMessage(message, CONTEXT));
    }
    yield;
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
