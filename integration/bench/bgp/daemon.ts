// A speaker under test: ours, or one of those that are measured beside it.
import type { ChildProcess } from 'node:child_process';
import type { Arena } from './arena.ts';
import type { World } from './world.ts';

/**
 * How late the event loop was, looked at each millisecond: the longest delay, and the most processor time that the
 * loop has used during one. Milliseconds.
 */
export type Lag = { readonly late: number; readonly busy: number };

export type Running = {
  readonly processes: readonly ChildProcess[];
  /** Since the last call; only ours can say. */
  lag?(): Promise<Lag>;
  stop(): Promise<void>;
};

export type Daemon = {
  readonly name: string;
  /** Whether it puts routes into the kernel. */
  readonly hasKernel: boolean;
  start(arena: Arena, world: World): Promise<Running>;
};
