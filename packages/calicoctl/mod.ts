// The operator's command line, as a function of its arguments and terminal.
export { runCalicoctl } from './calicoctl.ts';
export type { Terminal } from './terminal.ts';
