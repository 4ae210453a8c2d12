// What the benchmark is asked for on its command line.
import { parseArgs } from 'node:util';
import { WORKLOADS, type Workload } from './workloads.ts';

export const CONTESTANTS = ['bird', 'ours', 'frr', 'gobgp', 'raw', 'raw-objects'] as const;
export type ContestantName = (typeof CONTESTANTS)[number];

export type Request = {
  readonly workloads: readonly { readonly workload: Workload; readonly sizes: readonly number[] }[];
  readonly contestants: readonly ContestantName[];
  readonly rounds: number;
  /** Who needed more seconds than this is measured once only. */
  readonly onceOver: number;
  /** Seconds after which a measurement is given up. */
  readonly limitOf: (contestant: ContestantName) => number;
  /** Folder for CPU profiles of ours. */
  readonly profile: string | undefined;
};

/** Something on the command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** GoBGP needs a minute for a million prefixes to a receiver. */
const DEFAULT_LIMIT = 90;
const MOST_SECONDS = 3_600;
const MOST_ROUNDS = 99;
const MOST_ITEMS = 10_000_000;
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_000, M: 1_000_000 };

/** @throws UsageError */
export function parseArguments(args: readonly string[]): Request | 'help' {
  const { values, positionals } = read(args);
  if (values.help) return 'help';
  const names = positionals.length === 0 ? Object.keys(WORKLOADS) : positionals;
  const sizes = values.sizes?.split(',').map(sizeOf);
  return {
    workloads: names.map((name) => {
      const workload = WORKLOADS[name];
      if (workload !== undefined) return { workload, sizes: sizes ?? workload.sizes };
      throw new UsageError(
        `Cannot measure "${name}": no such workload, there are ${Object.keys(WORKLOADS).join(', ')}`,
      );
    }),
    contestants: values.daemons?.split(',').map(contestantOf) ?? CONTESTANTS,
    rounds: numberOf('--repeat', values.repeat, MOST_ROUNDS),
    onceOver: numberOf('--once-over', values['once-over'], MOST_SECONDS),
    limitOf: limits(values.limit),
    profile: values.profile,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        sizes: { type: 'string' },
        daemons: { type: 'string' },
        repeat: { type: 'string', default: '3' },
        'once-over': { type: 'string', default: '10' },
        limit: { type: 'string', default: String(DEFAULT_LIMIT) },
        profile: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(`Cannot read the arguments: ${(error as Error).message}`);
  }
}

function contestantOf(text: string): ContestantName {
  const found = CONTESTANTS.find((name) => name === text);
  if (found !== undefined) return found;
  throw new UsageError(
    `Cannot measure "${text}": no such daemon, there are ${CONTESTANTS.join(', ')}`,
  );
}

function sizeOf(text: string): number {
  const [, digits, unit = ''] = /^([0-9]+)([kM]?)$/.exec(text) ?? [];
  const size = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (size >= 1 && size <= MOST_ITEMS) return size;
  throw new UsageError(
    `Cannot take "${text}" of --sizes: expected a number like 10000, 10k or 1M, at most 10M`,
  );
}

/** "60,gobgp=300": for all, and for one. */
function limits(text: string): Request['limitOf'] {
  let general = DEFAULT_LIMIT;
  const own = new Map<ContestantName, number>();
  for (const part of text.split(',')) {
    const [left = '', right] = part.split('=');
    const seconds = numberOf('--limit', right ?? left, MOST_SECONDS);
    if (right === undefined) general = seconds;
    else own.set(contestantOf(left), seconds);
  }
  return (contestant) => own.get(contestant) ?? general;
}

function numberOf(option: string, text: string, most: number): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(`Cannot take "${text}" for ${option}: expected 1 to ${most}`);
}
