// A node that exists for nobody, with peers that are imagined.
import { DEFAULT_CONTEXT, encodeMessage, joinBytes, KEEPALIVE } from '@calico/bgp-wire';
import { type Clock, FakeClock } from '@calico/clock';
import type { Connection, ConnectionHandler, KernelPort } from '../../ports.ts';
import { Turns } from '../host/turns.ts';
import { BgpNode } from '../node/bgp_node.ts';
import { type Actor, type Line, NODE, openOf, type Play } from './play.ts';

/** As if each look at the clock took so long, by turns: what is much is done at once, or in several turns. */
const LOOKS_MS = [0.25, 0.03, 0.03];
/** Reports are due. */
const ABSENCE_MS = 100;
/** So many messages of a line that is new are said one by one, and then so many at a time. */
const SLOW_MESSAGES = 32;
const PIECE = 64;

type Speaking = {
  readonly actor: Actor;
  readonly lines: readonly Line[];
  handler: ConnectionHandler;
};

export class Stage {
  readonly #node: BgpNode;
  /** Passes only while somebody is away. */
  readonly #time = new FakeClock();
  readonly #turns: (() => void)[] = [];
  #lookMs = 0;
  /** By looking at the clock. */
  #passedMs = 0;

  constructor(kernel: KernelPort) {
    const clock = this.#clock();
    this.#node = new BgpNode({
      node: NODE,
      routerId: '',
      clock,
      random: () => 0,
      turns: new Turns(clock, (callback) => this.#turns.push(callback)),
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

  /** In steps: a few milliseconds of code that is new, or a turn of the node. Once. */
  *play({ resources, actors, atOnce, scenes, slowScenes }: Play): Generator<void, void, undefined> {
    const cluster = resources();
    yield;
    this.#node.setResources(cluster, { inSync: true, revision: 1n });
    const cast: Speaking[] = [];
    for (const actor of actors) {
      const handler = yield* this.#enter(actor);
      yield;
      cast.push({ actor, lines: yield* actor.lines(), handler });
    }
    for (let scene = 0; scene < scenes; scene++) {
      this.#lookMs = LOOKS_MS[scene % LOOKS_MS.length] ?? 0;
      for (let first = 0; first < cast.length; first += atOnce) {
        const speaking = cast.slice(first, first + atOnce);
        if (scene < slowScenes) yield* this.#saySlowly(speaking, scene);
        else yield* this.#say(speaking, scene);
        for (const each of speaking) {
          if (lineOf(each.lines, scene) === 'leave') yield* this.#leave(each);
        }
      }
    }
  }

  *#enter(actor: Actor): Generator<void, ConnectionHandler, undefined> {
    yield;
    const handler = this.#node.accept(actor.address, NOBODY);
    for (const message of [openOf(actor), KEEPALIVE]) {
      yield;
      handler.data(encodeMessage(message, DEFAULT_CONTEXT));
      yield* this.#work();
    }
    return handler;
  }

  /** What is new to the runtime message by message, and the rest in small pieces. */
  *#saySlowly(speaking: readonly Speaking[], scene: number): Generator<void, void, undefined> {
    for (const { handler, lines } of speaking) {
      const messages = messagesOf(lines, scene);
      for (let at = 0; at < messages.length; ) {
        const end = at < SLOW_MESSAGES ? at + 1 : at + PIECE;
        yield;
        handler.data(joinBytes(messages.slice(at, end)));
        yield* this.#work();
        at = end;
      }
    }
  }

  /** What is said at once is decided on together. */
  *#say(speaking: readonly Speaking[], scene: number): Generator<void, void, undefined> {
    yield;
    for (const { handler, lines } of speaking) {
      const bytes = joinBytes(messagesOf(lines, scene));
      if (bytes.length === 0) continue;
      // As on a socket, a piece may end anywhere in a message.
      const half = bytes.length >> 1;
      handler.data(bytes.slice(0, half));
      handler.data(bytes.slice(half));
    }
    yield* this.#work();
  }

  /** As the loss of a connection, with all that was told on it. */
  *#leave(speaking: Speaking): Generator<void, void, undefined> {
    yield;
    speaking.handler.closed('Connection closed by peer');
    yield* this.#work();
    this.#time.advance(ABSENCE_MS);
    speaking.handler = yield* this.#enter(speaking.actor);
  }

  /** A turn of the node's event loop after the other. */
  *#work(): Generator<void, void, undefined> {
    for (let turn = this.#turns.shift(); turn !== undefined; turn = this.#turns.shift()) {
      turn();
      if (this.#turns.length > 0) yield;
    }
  }

  /** Of one shape with the machine's. */
  #clock(): Clock {
    const time = this.#time;
    return {
      now: () => time.now(),
      monotonic: () => {
        this.#passedMs += this.#lookMs;
        return time.monotonic() + this.#passedMs;
      },
      setTimer: (delayMs, callback) => time.setTimer(delayMs, callback),
      sleep: (delayMs, signal) => time.sleep(delayMs, signal),
    };
  }
}

const NOBODY: Connection = { send: () => true, pause: () => {}, resume: () => {}, close: () => {} };

function lineOf(lines: readonly Line[], scene: number): Line {
  return lines[scene % lines.length] ?? [];
}

function messagesOf(lines: readonly Line[], scene: number): readonly Uint8Array[] {
  const line = lineOf(lines, scene);
  return line === 'leave' ? [] : line;
}

function ignore(): void {}
