import type { Command } from 'commander';
import type { Connections } from './connections.ts';
import type { Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What every command works with. */
export type Session = {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly connections: Connections;
};

/** Runs the body of a command with a session, and turns what it throws into text and exit code. */
export type Runner = (body: (session: Session) => Promise<void>) => Promise<void>;

/** Adds a command to its parent. */
export type CommandAdder = (parent: Command, run: Runner) => void;
