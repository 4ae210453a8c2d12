// Who is measured when: contestants take turns, so that whatever else the machine does falls on all of them.
import { percentile } from '../figures.ts';
import type { ContestantName, Request } from './arguments.ts';
import type { Sample } from './measure.ts';

export type Outcome =
  /** Medians of its rounds. */
  | { readonly kind: 'measured'; readonly sample: Sample; readonly rounds: number }
  /** It was given up after so many seconds. */
  | { readonly kind: 'over'; readonly limit: number }
  /** It would need more seconds than it may have, by what it has needed for less. */
  | { readonly kind: 'hopeless'; readonly known: Known }
  | { readonly kind: 'failed' };

type Terms = Pick<Request, 'rounds' | 'onceOver' | 'limitOf'>;
type Measure = (name: ContestantName, limit: number) => Promise<Sample>;
type Known = { readonly size: number; readonly seconds: number; readonly isOver: boolean };

/** Of one workload: what a contestant needed for one size says whether it is worth trying the next. */
export class Turns {
  readonly #terms: Terms;
  readonly #known = new Map<ContestantName, Known>();

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  async run(
    names: readonly ContestantName[],
    size: number,
    measure: Measure,
  ): Promise<Map<ContestantName, Outcome>> {
    const samples = new Map<ContestantName, Sample[]>(names.map((name) => [name, []]));
    const outcomes = new Map<ContestantName, Outcome>();
    for (const name of names) {
      const hopeless = this.#hopeless(name, size);
      if (hopeless !== undefined) outcomes.set(name, hopeless);
    }
    for (let round = 0; round < this.#terms.rounds; round++) {
      for (const name of rotated(names, round)) {
        const list = samples.get(name) ?? [];
        if (outcomes.has(name) || list.some((each) => this.#isLong(each))) continue;
        const limit = this.#terms.limitOf(name);
        try {
          list.push(await measure(name, limit));
        } catch (error) {
          if (!isTimeout(error)) console.error(`${name}, ${size}: ${String(error)}`);
          outcomes.set(name, isTimeout(error) ? { kind: 'over', limit } : { kind: 'failed' });
        }
      }
    }
    for (const [name, list] of samples) {
      const sample = medians(list);
      if (sample === undefined || outcomes.has(name)) continue;
      outcomes.set(name, { kind: 'measured', sample, rounds: list.length });
    }
    this.#learn(outcomes, size);
    return new Map(
      names.flatMap((name) => {
        const outcome = outcomes.get(name);
        return outcome === undefined ? [] : [[name, outcome]];
      }),
    );
  }

  /** 200 connections at once are a minute of somebody's time, too, when the queue for them is short. */
  #isLong(sample: Sample): boolean {
    return [spent(sample), sample.connect].some((seconds) => seconds > this.#terms.onceOver);
  }

  /** So much more of the same takes so much longer, or half of that where much of it was the beginning. */
  #hopeless(name: ContestantName, size: number): Outcome | undefined {
    const known = this.#known.get(name);
    const limit = this.#terms.limitOf(name);
    if (known === undefined) return undefined;
    const isWorthATry = !known.isOver && (known.seconds * size) / known.size <= 2 * limit;
    return isWorthATry ? undefined : { kind: 'hopeless', known };
  }

  #learn(outcomes: ReadonlyMap<ContestantName, Outcome>, size: number): void {
    for (const [name, outcome] of outcomes) {
      const isOver = outcome.kind === 'over';
      if (!isOver && outcome.kind !== 'measured') continue;
      const seconds = isOver ? outcome.limit : spent(outcome.sample);
      this.#known.set(name, { size, seconds, isOver });
    }
  }
}

/** Of every figure its own, but of the event loop's delays the longest; undefined for none. */
export function medians(samples: readonly Sample[]): Sample | undefined {
  const [first] = samples;
  if (first === undefined) return undefined;
  return Object.fromEntries(
    Object.keys(first).map((key) => {
      const values = samples.map((sample) => sample[key as keyof Sample]);
      return [key, LONGEST.has(key) ? Math.max(...values) : median(values)];
    }),
  ) as Sample;
}

const LONGEST: ReadonlySet<string> = new Set<keyof Sample>(['loopLate', 'loopBusy']);

/** Between the two in the middle, where there are two. */
function median(values: readonly number[]): number {
  return (percentile(values, 50) + percentile(values, 50 + 1e-9)) / 2;
}

/** Nobody is always the first after the same one. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const at = by % Math.max(1, list.length);
  return [...list.slice(at), ...list.slice(0, at)];
}

function spent({ seconds, loss }: Sample): number {
  return seconds + (Number.isNaN(loss) ? 0 : loss);
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
