import type { Command } from 'commander';
import type { Connections } from './connections.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What every command works with. */
export type Session = {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly connections: Connections;
  /** Runs another command of calicoctl, with the same settings. */
  readonly command: (words: readonly string[]) => Promise<Captured>;
};

/** What a command has printed, errors too. */
export type Captured = { readonly code: number; readonly text: string };

/** Runs the body of a command with a session, and turns what it throws into text and exit code. */
export type Runner = (body: (session: Session) => Promise<void>) => Promise<void>;

/** Adds a command to its parent. */
export type CommandAdder = (parent: Command, run: Runner) => void;
