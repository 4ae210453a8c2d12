// All results in one table in Markdown: a row per workload, a column per contestant, then the ratios.
import { markdownTable } from '../figures.ts';
import type { Sample } from './measure.ts';
import {
  extraText,
  figure,
  loopText,
  OURS,
  type Result,
  ratio,
  sampleOf,
  secondsText,
  stateText,
} from './table.ts';
import type { Outcome } from './turns.ts';

type Row = Record<string, string>;

/** With fewer, what a path needs is little beside what the program itself does. */
const TELLING_PATHS = 100_000;

/**
 * Cells of a daemon: seconds, CPU seconds, peak megabytes, and bytes per path of large tables; ratios:
 * seconds, CPU seconds.
 * @param daemons titles in the order of the columns; ours is always the first
 */
export function summaryOf(results: readonly Result[], daemons: readonly string[]): string {
  const others = daemons.filter((title) => title !== OURS);
  const table = markdownTable(results.flatMap((result) => rowsOf(result, others)));
  const besides = results.flatMap((result) => besidesOf(result, daemons));
  return [table, ...(besides.length === 0 ? [] : ['', ...besides])].join('\n');
}

/** What the kernel alone needs: no daemon, and so no column. */
function besidesOf({ workload, size, outcomes }: Result, daemons: readonly string[]): string[] {
  const mine = sampleOf(outcomes.get(OURS));
  return Array.from(outcomes).flatMap(([title, outcome]) => {
    const its = sampleOf(outcome);
    if (daemons.includes(title) || its === undefined) return [];
    const cost = `- ${workload.title}, ${size.toLocaleString('en')}, ${title}: ${secondsText(its.seconds)} s, CPU ${figure(its.cpu, 2)} s`;
    return mine === undefined ? [cost] : [`${cost}; ours to it: ${bothRatios(mine, its)}`];
  });
}

function rowsOf({ workload, size, outcomes }: Result, others: readonly string[]): Row[] {
  const cell = (outcome: Outcome | undefined): string => cellOf(outcome, size);
  const columns = (
    title: string,
    text: (outcome: Outcome | undefined) => string,
    ratioTo: (mine: Sample, its: Sample) => string,
    loop: (mine: Sample) => string,
  ): Row => {
    const mine = sampleOf(outcomes.get(OURS));
    const row: Row = { ' ': title, [OURS]: text(outcomes.get(OURS)) };
    for (const name of others) row[name] = text(outcomes.get(name));
    for (const name of others) {
      const its = sampleOf(outcomes.get(name));
      row[`ours to ${name}`] = mine && its ? ratioTo(mine, its) : '';
    }
    return { ...row, 'loop late ms, own': mine === undefined ? '' : loop(mine) };
  };
  const rows = [
    columns(`${workload.title}, ${size.toLocaleString('en')}`, cell, bothRatios, loopText),
  ];
  const { extra } = workload;
  if (extra === undefined) return rows;
  const text = (outcome: Outcome | undefined): string => {
    const sample = sampleOf(outcome);
    return sample === undefined ? '' : extraText(sample, extra.field);
  };
  const field = (mine: Sample, its: Sample): string => ratio(mine[extra.field], its[extra.field]);
  return [...rows, columns(extra.title, text, field, () => '')];
}

function cellOf(outcome: Outcome | undefined, size: number): string {
  const sample = sampleOf(outcome);
  if (sample === undefined) return stateText(outcome);
  const { seconds, cpu, peakMegabytes, bytesPerPath } = sample;
  const texts = [secondsText(seconds), figure(cpu, 2), figure(peakMegabytes, 0)];
  if (size >= TELLING_PATHS) texts.push(figure(bytesPerPath, 0));
  return texts.join(', ');
}

function bothRatios(mine: Sample, its: Sample): string {
  return `${ratio(mine.seconds, its.seconds)}, ${ratio(mine.cpu, its.cpu)}`;
}
