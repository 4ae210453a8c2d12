// A node that exists for nobody, with peers that are imagined.
import { DEFAULT_CONTEXT, encodeMessage, joinBytes, KEEPALIVE } from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import type { Connection, ConnectionHandler, KernelPort } from '../../ports.ts';
import { Turns } from '../host/turns.ts';
import { BgpNode } from '../node/bgp_node.ts';
import { type Actor, type Line, NODE, openOf, type Play } from './play.ts';

type Speaking = { readonly handler: ConnectionHandler; readonly lines: readonly Line[] };

export class Stage {
  readonly #node: BgpNode;
  readonly #deferred: (() => void)[] = [];

  constructor(kernel: KernelPort) {
    // Stands still: no timer disturbs a scene.
    const clock = new FakeClock();
    this.#node = new BgpNode({
      node: NODE,
      routerId: '',
      clock,
      random: () => 0,
      turns: new Turns(clock, (callback) => this.#deferred.push(callback)),
      transport: { dial: () => NOBODY },
      kernel,
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

  /** In steps: a few milliseconds of code that is new, or a part of a scene. Once. */
  *play({ resources, actors, atOnce, scenes, slowScenes }: Play): Generator<void, void, undefined> {
    const cluster = resources();
    yield;
    this.#node.setResources(cluster, { inSync: true, revision: 1n });
    const cast: Speaking[] = [];
    for (const actor of actors) cast.push(yield* this.#enter(actor, cast.length + 1));
    for (let scene = 0; scene < scenes; scene++) {
      for (let first = 0; first < cast.length; first += atOnce) {
        const speaking = cast.slice(first, first + atOnce);
        if (scene < slowScenes) yield* this.#saySlowly(speaking, scene);
        else yield this.#say(speaking, scene);
      }
    }
  }

  *#enter(actor: Actor, routerId: number): Generator<void, Speaking, undefined> {
    yield;
    const handler = this.#node.accept(actor.address, NOBODY);
    for (const message of [openOf(actor, routerId), KEEPALIVE]) {
      yield;
      handler.data(encodeMessage(message, DEFAULT_CONTEXT));
      this.#work();
    }
    yield;
    return { handler, lines: actor.lines() };
  }

  *#saySlowly(speaking: readonly Speaking[], scene: number): Generator<void, void, undefined> {
    for (const { handler, lines } of speaking) {
      for (const message of lineOf(lines, scene)) {
        yield;
        handler.data(message);
        this.#work();
      }
    }
  }

  /** What is said at once is decided on together. */
  #say(speaking: readonly Speaking[], scene: number): void {
    for (const { handler, lines } of speaking) {
      const line = lineOf(lines, scene);
      if (line.length > 0) handler.data(joinBytes(line));
    }
    this.#work();
  }

  #work(): void {
    for (let work = this.#deferred.shift(); work !== undefined; work = this.#deferred.shift()) {
      work();
    }
  }
}

const NOBODY: Connection = { send: () => true, pause: () => {}, resume: () => {}, close: () => {} };

function lineOf(lines: readonly Line[], scene: number): Line {
  return lines[scene % lines.length] ?? [];
}

function ignore(): void {}
