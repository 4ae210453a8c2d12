// Small tables are taken in, decided on, told, programmed and lost again and again, so that the runtime has compiled
// what real ones need before they come. Code that is new to the runtime is many times slower, and its
// compilers take as much time again.
import type { KernelPort } from '../../ports.ts';
import { meshPlay } from './mesh_play.ts';
import type { Play } from './play.ts';
import { Stage } from './stage.ts';
import { tablePlay } from './table_play.ts';

/** So many make nearly all of it fast; more would cost more than they spare. */
const SCENES = { table: 15, mesh: 24 } as const;
/** Of the first time. */
const SLOW_SCENES = 3;

/**
 * Everything twice, each time on a stage of its own: code that was compiled for the functions and objects of
 * one node is thrown away at the sight of those of another. The second table is not programmed, as on a
 * reflector.
 */
function plays(): readonly Play[] {
  return [
    tablePlay(SCENES.table, SLOW_SCENES, 'Enabled'),
    meshPlay(SCENES.mesh, SLOW_SCENES),
    tablePlay(SCENES.table, 0, 'Disabled'),
    meshPlay(SCENES.mesh, 0),
  ];
}

export class Rehearsal {
  readonly #kernel: () => KernelPort;
  readonly #steps = this.#play();
  /** Where it is played now. */
  stage: Stage | undefined;

  /** @param kernel makes one for each stage, that takes every route and keeps none */
  constructor(kernel: () => KernelPort) {
    this.#kernel = kernel;
  }

  /** Plays a step more; whether there is another. */
  next(): boolean {
    return this.#steps.next().done !== true;
  }

  *#play(): Generator<void, void, undefined> {
    for (const play of plays()) {
      this.stage = new Stage(this.#kernel());
      yield;
      yield* this.stage.play(play);
    }
  }
}
