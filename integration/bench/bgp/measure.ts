// One measurement: a speaker is started, its peers connect, tell, and are killed.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '@calico/ip';
import { percentile } from '../figures.ts';
import type { Arena } from './arena.ts';
import type { Daemon, Lag, Running } from './daemon.ts';
import { Endpoint } from './endpoint.ts';
import { Fib } from './fib.ts';
import { type Usage, usageOf } from './usage.ts';
import { type PeerPlan, SPEAKER, type Space, type World } from './world.ts';

export type Plan = {
  readonly world: World;
  readonly space: Space;
  /** What peers say, by their number. */
  readonly feeds: readonly Buffer[];
  /** Prefixes that a peer waits for; 0: none. */
  readonly expects: (peer: PeerPlan, number: number) => number;
  /** Peers that connect at a time; by default all. */
  readonly connecting?: number;
  /** Routes that the kernel is waited for to have. */
  readonly routes: number;
  /** In the route that is told last. */
  readonly last?: Address;
  /** Paths in the tables in the end. */
  readonly paths: number;
  /** Peers that are killed in the end, one after another, and how many of the routes go with each. */
  readonly victims?: { readonly numbers: readonly number[]; readonly routes: number };
};

/** Seconds, megabytes, milliseconds; NaN: not measured. */
export type Sample = {
  readonly connect: number;
  readonly seconds: number;
  readonly cpu: number;
  /** Until the routes of a killed peer are out of the kernel: median, and of the first that is killed. */
  readonly loss: number;
  readonly firstLoss: number;
  readonly lossCpu: number;
  readonly peakMegabytes: number;
  readonly bytesPerPath: number;
  /** The longest delay of ours, and the most processor time that its loop has used during one. */
  readonly loopLate: number;
  readonly loopBusy: number;
  /** Of the benchmark itself, which plays the peers. */
  readonly playersCpu: number;
};

const SETTLING_MS = 500;
/** Seconds in that time that an idle daemon may use. */
const SETTLED_CPU = 0.05;

export async function measure(
  arena: Arena,
  daemon: Daemon,
  plan: Plan,
  signal: AbortSignal,
): Promise<Sample> {
  const { world, space } = plan;
  const running = await daemon.start(arena, world);
  const endpoints = world.peers.map((peer, number) => new Endpoint(peer, number, space));
  try {
    return await observe(running, endpoints, plan, signal);
  } finally {
    for (const endpoint of endpoints) endpoint.kill();
    await running.stop();
    if (world.hasKernel) await arena.flush();
  }
}

async function observe(
  running: Running,
  endpoints: readonly Endpoint[],
  plan: Plan,
  signal: AbortSignal,
): Promise<Sample> {
  const pids = running.processes.map(({ pid }) => pid ?? 0);
  await within(signal, listening(signal));
  const connectStart = performance.now();
  await within(signal, connectAll(endpoints, plan.connecting ?? endpoints.length));
  const connected = performance.now();
  await within(signal, settled(pids));

  using fib = plan.world.hasKernel ? new Fib(pids[0] ?? 0) : undefined;
  await running.lag?.();
  const before = usageOf(pids);
  const playersBefore = process.cpuUsage();
  const start = performance.now();
  const waits = endpoints.map((endpoint, number) => received(endpoint, number, plan));
  if (fib !== undefined) waits.push(filled(fib, plan, signal));
  for (const [number, bytes] of plan.feeds.entries()) endpoints[number]?.feed(bytes);
  await within(signal, Promise.all(waits));
  const end = performance.now();
  const after = usageOf(pids);
  const players = process.cpuUsage(playersBefore);
  const lag = await running.lag?.();
  const sample = {
    connect: seconds(connectStart, connected),
    seconds: seconds(start, end),
    cpu: after.cpu - before.cpu,
    ...memory(before, after, plan.paths),
    playersCpu: (players.user + players.system) / 1e6,
  };
  const lost = await lose(endpoints, plan, fib, () => usageOf(pids).cpu, signal);
  const lagAfter = plan.victims === undefined ? undefined : await running.lag?.();
  return { ...sample, ...lost, ...worst(lag, lagAfter) };
}

async function lose(
  endpoints: readonly Endpoint[],
  { victims, routes }: Plan,
  fib: Fib | undefined,
  cpu: () => number,
  signal: AbortSignal,
): Promise<Pick<Sample, 'loss' | 'firstLoss' | 'lossCpu'>> {
  const times: number[] = [];
  const cpuBefore = cpu();
  for (const number of fib === undefined ? [] : (victims?.numbers ?? [])) {
    await sleep(SETTLING_MS);
    const start = performance.now();
    endpoints[number]?.kill();
    const each = victims?.routes ?? 0;
    await fib?.shrinksTo(routes - (times.length + 1) * each, each, signal);
    times.push(seconds(start, performance.now()));
  }
  const [firstLoss = Number.NaN] = times;
  return { loss: percentile(times, 50), firstLoss, lossCpu: cpu() - cpuBefore };
}

async function filled(fib: Fib, { routes, last }: Plan, signal: AbortSignal): Promise<void> {
  if (last !== undefined) await fib.reaches(last, signal);
  await fib.until((added) => added >= routes, signal);
}

function received(endpoint: Endpoint, number: number, plan: Plan): Promise<void> {
  const expected = plan.expects(endpoint.plan, number);
  if (expected === 0) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  endpoint.onComplete = resolve;
  endpoint.expects = expected;
  return promise;
}

async function connectAll(endpoints: readonly Endpoint[], atOnce: number): Promise<void> {
  const waiting = endpoints.values();
  const connectSome = async (): Promise<void> => {
    for (const endpoint of waiting) await endpoint.connect();
  };
  await Promise.all(Array.from({ length: atOnce }, connectSome));
}

/** Until somebody accepts connections. */
async function listening(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect({ host: SPEAKER.address, port: 179 });
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    const isThere = await promise;
    socket.destroy();
    await sleep(50);
    if (isThere) return;
  }
}

/** Until what follows a start and new sessions is over: whoever is measured has nothing else to do. */
async function settled(pids: readonly number[]): Promise<void> {
  for (
    let cpu = 0, before = -1;
    cpu - before > SETTLED_CPU;
    before = cpu, cpu = usageOf(pids).cpu
  ) {
    await sleep(SETTLING_MS);
  }
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return Promise.race([work, promise]);
}

function memory(
  before: Usage,
  after: Usage,
  paths: number,
): Pick<Sample, 'peakMegabytes' | 'bytesPerPath'> {
  const bytes = (after.megabytes - before.megabytes) * 1024 * 1024;
  return { peakMegabytes: after.peakMegabytes, bytesPerPath: bytes / paths };
}

function worst(...lags: readonly (Lag | undefined)[]): Pick<Sample, 'loopLate' | 'loopBusy'> {
  const known = lags.flatMap((lag) => lag ?? []);
  if (known.length === 0) return { loopLate: Number.NaN, loopBusy: Number.NaN };
  return {
    loopLate: Math.max(...known.map(({ late }) => late)),
    loopBusy: Math.max(...known.map(({ busy }) => busy)),
  };
}

function seconds(from: number, to: number): number {
  return (to - from) / 1000;
}
