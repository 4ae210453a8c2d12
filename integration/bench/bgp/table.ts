// What one workload of one size has cost everybody, in Markdown.
import { markdownTable } from '../figures.ts';
import type { Sample } from './measure.ts';
import type { Outcome } from './turns.ts';
import type { Workload } from './workloads.ts';

export const OURS = 'ours';

export type Result = {
  readonly workload: Pick<Workload, 'title' | 'extra'>;
  readonly size: number;
  /** By the title of who was measured. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
};

/** A row for each that was measured, ours first. */
export function detailsOf({ workload, size, outcomes }: Result): string {
  const { title, extra } = workload;
  const names = [...outcomes.keys()].toSorted((a, b) => Number(b === OURS) - Number(a === OURS));
  const mine = sampleOf(outcomes.get(OURS));
  return markdownTable(
    names.map((name) => {
      const outcome = outcomes.get(name);
      const sample = sampleOf(outcome);
      const cell = (format: (found: Sample) => string): string =>
        sample === undefined ? '' : format(sample);
      return {
        [`${title}, ${size.toLocaleString('en')}`]: name,
        s: cell(({ seconds }) => secondsText(seconds)) || stateText(outcome),
        'CPU s': cell(({ cpu }) => figure(cpu, 2)),
        ...(extra && { [`${extra.field} s`]: cell((each) => extraText(each, extra.field)) }),
        'peak MB': cell(({ peakMegabytes }) => figure(peakMegabytes, 0)),
        'bytes per path': cell(({ bytesPerPath }) => figure(bytesPerPath, 0)),
        'loop late ms, own': cell(loopText),
        'players CPU s': cell(({ playersCpu }) => figure(playersCpu, 2)),
        rounds: outcome?.kind === 'measured' ? outcome.rounds : '',
        'ours to it: s, CPU': cell((its) =>
          mine === undefined || name === OURS ? '' : ratios(mine, its, extra?.field),
        ),
      };
    }),
  );
}

export function sampleOf(outcome: Outcome | undefined): Sample | undefined {
  return outcome?.kind === 'measured' ? outcome.sample : undefined;
}

/** Why there are no figures. */
export function stateText(outcome: Outcome | undefined): string {
  if (outcome === undefined || outcome.kind === 'measured') return '';
  if (outcome.kind === 'failed') return 'failed';
  if (outcome.kind === 'over') return `over ${outcome.limit} s`;
  const { size, seconds, isOver } = outcome.known;
  return `not tried: ${size.toLocaleString('en')} took ${isOver ? 'over ' : ''}${secondsText(seconds)} s`;
}

/** Three digits that count. */
export function secondsText(value: number): string {
  return figure(value, value >= 10 ? 1 : value >= 1 ? 2 : value >= 0.01 ? 3 : 4);
}

/** For a loss the median, and in brackets the first, unless there was only one. */
export function extraText(sample: Sample, field: 'connect' | 'loss'): string {
  const text = secondsText(sample[field]);
  if (field !== 'loss' || text === '' || sample.firstLoss === sample.loss) return text;
  return `${text} (${secondsText(sample.firstLoss)})`;
}

/** Longest delay of the event loop, and how much of it was not spent on waiting for a processor. */
export function loopText({ loopLate, loopBusy }: Sample): string {
  return Number.isNaN(loopLate) ? '' : `${figure(loopLate, 0)}, ${figure(loopBusy, 0)}`;
}

function ratios(mine: Sample, its: Sample, field: 'connect' | 'loss' | undefined): string {
  const texts = [ratio(mine.seconds, its.seconds), ratio(mine.cpu, its.cpu)].join(', ');
  return field === undefined || Number.isNaN(its[field])
    ? texts
    : `${texts}; ${field} ${ratio(mine[field], its[field])}`;
}

/** A dash when what was too little to be counted is a part of it. */
export function ratio(mine: number, its: number): string {
  const value = mine / its;
  return figure(value, value < 0.1 ? 3 : 2) || '–';
}

export function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '';
}
