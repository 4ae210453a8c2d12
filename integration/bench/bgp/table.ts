// Results as rows of Markdown.
import type { Sample } from './measure.ts';
import type { Workload } from './workloads.ts';

const EXTRAS = { connect: 'connected s', loss: 'lost s (first)' } as const;

/** @param rows by the daemon's name; undefined: it did not finish */
export function formatRows(
  { title, extra }: Workload,
  size: number,
  rows: ReadonlyMap<string, Sample | undefined>,
): string {
  const others = [...rows.keys()].filter((name) => name !== 'ours');
  const ours = rows.get('ours');
  const heads = [
    `${title}, ${size.toLocaleString('en')}`,
    's',
    'CPU s',
    ...(extra === undefined ? [] : [EXTRAS[extra]]),
    'peak MB',
    'bytes per path',
    'loop late ms, own',
    'players CPU s',
    'ours to it: s, CPU',
  ];
  const lines = ['ours', ...others].flatMap((name) => {
    if (!rows.has(name)) return [];
    const sample = rows.get(name);
    if (sample === undefined) return [line([name, 'not done'])];
    return [
      line([
        name,
        figure(sample.seconds, 3),
        figure(sample.cpu, 2),
        ...(extra === undefined ? [] : [extraOf(sample, extra)]),
        figure(sample.peakMegabytes, 0),
        figure(sample.bytesPerPath, 0),
        Number.isNaN(sample.loopLate)
          ? ''
          : `${figure(sample.loopLate, 0)}, ${figure(sample.loopBusy, 0)}`,
        figure(sample.playersCpu, 2),
        ours === undefined || name === 'ours' ? '' : ratios(ours, sample, extra),
      ]),
    ];
  });
  return ['', line(heads), line(heads.map(() => '---')), ...lines].join('\n');
}

function ratios(ours: Sample, other: Sample, extra: Workload['extra']): string {
  const of = (field: keyof Sample): string => figure(ours[field] / other[field], 2);
  const more = extra === undefined ? '' : `; ${extra} ${of(extra)}`;
  return `${of('seconds')}, ${of('cpu')}${more}`;
}

function extraOf(sample: Sample, extra: NonNullable<Workload['extra']>): string {
  const text = figure(sample[extra], 4);
  return extra === 'loss' ? `${text} (${figure(sample.firstLoss, 4)})` : text;
}

function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
