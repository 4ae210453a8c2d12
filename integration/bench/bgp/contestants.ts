// Who is measured: daemons, and the kernel alone.
import type { Arena } from './arena.ts';
import type { ContestantName } from './arguments.ts';
import { bird } from './bird.ts';
import type { Daemon } from './daemon.ts';
import { frr } from './frr.ts';
import { gobgp } from './gobgp.ts';
import { measure, type Plan, type Sample } from './measure.ts';
import { ours } from './ours.ts';
import { rawCost } from './raw_netlink.ts';

export type Contestant = {
  readonly title: string;
  readonly isDaemon: boolean;
  takesPart(plan: Plan): boolean;
  measure(arena: Arena, plan: Plan, signal: AbortSignal): Promise<Sample>;
};

const NOTHING_MEASURED: Sample = {
  connect: Number.NaN,
  seconds: Number.NaN,
  cpu: Number.NaN,
  loss: Number.NaN,
  firstLoss: Number.NaN,
  lossCpu: Number.NaN,
  peakMegabytes: Number.NaN,
  bytesPerPath: Number.NaN,
  loopLate: Number.NaN,
  loopBusy: Number.NaN,
  playersCpu: Number.NaN,
};

/** @param profile folder for CPU profiles of ours */
export function contestants(profile?: string): Readonly<Record<ContestantName, Contestant>> {
  return {
    ours: speaker(ours(profile)),
    bird: speaker(bird),
    frr: speaker(frr),
    gobgp: speaker(gobgp),
    raw: rawNetlink('raw netlink', false),
    'raw-objects': rawNetlink('raw netlink, nexthop object', true),
  };
}

function speaker(daemon: Daemon): Contestant {
  return {
    title: daemon.name,
    isDaemon: true,
    takesPart: ({ world }) => daemon.hasKernel || !world.hasKernel,
    measure: (arena, plan, signal) => measure(arena, daemon, plan, signal),
  };
}

function rawNetlink(title: string, byObject: boolean): Contestant {
  return {
    title,
    isDaemon: false,
    takesPart: ({ world, space }) => world.hasKernel && space.length === 24,
    async measure(arena, { space }) {
      const cost = rawCost(arena.inside, space.count, byObject);
      await arena.flush();
      return { ...NOTHING_MEASURED, ...cost };
    },
  };
}
