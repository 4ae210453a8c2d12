import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sample } from './measure.ts';
import { summaryOf } from './summary.ts';
import { detailsOf, type Result, ratio, secondsText } from './table.ts';
import type { Outcome } from './turns.ts';

const NONE = Number.NaN;

function measured(seconds: number, more: Partial<Sample> = {}): Outcome {
  const sample: Sample = {
    connect: 0.27,
    seconds,
    cpu: seconds * 2,
    loss: NONE,
    firstLoss: NONE,
    lossCpu: NONE,
    peakMegabytes: 100.4,
    bytesPerPath: 120.4,
    loopLate: NONE,
    loopBusy: NONE,
    playersCpu: 0.5,
    ...more,
  };
  return { kind: 'measured', sample, rounds: 3 };
}

const TABLE: Result = {
  workload: { title: '(a) into the RIB' },
  size: 10_000,
  outcomes: new Map<string, Outcome>([
    ['BIRD 2', measured(0.5)],
    ['ours', measured(0.25, { loopLate: 18.3, loopBusy: 9.7 })],
    ['GoBGP', { kind: 'over', limit: 60 }],
  ]),
};
const LOST: Result = {
  workload: { title: '(b) mesh', extra: { field: 'loss', title: '(b) one killed' } },
  size: 200,
  outcomes: new Map<string, Outcome>([
    ['BIRD 2', measured(2, { loss: 0.0012, firstLoss: 0.0008 })],
    ['ours', measured(1, { loss: 0.003, firstLoss: 0.005 })],
  ]),
};

test('details: ours first, then the others with ratios', () => {
  assert.equal(
    detailsOf(TABLE),
    [
      '| (a) into the RIB, 10,000 | s | CPU s | peak MB | bytes per path | loop late ms, own | players CPU s | rounds | ours to it: s, CPU |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| ours | 0.250 | 0.50 | 100 | 120 | 18, 10 | 0.50 | 3 |  |',
      '| BIRD 2 | 0.500 | 1.00 | 100 | 120 |  | 0.50 | 3 | 0.50, 0.50 |',
      '| GoBGP | over 60 s |  |  |  |  |  |  |  |',
    ].join('\n'),
  );
});

test('details: what else is measured has a column and a ratio', () => {
  const [head, , mine, its] = detailsOf(LOST).split('\n');
  assert.ok(head?.includes('| CPU s | loss s | peak MB |'));
  assert.ok(mine?.includes('| 2.00 | 0.0030 (0.0050) | 100 |'), mine);
  assert.ok(its?.endsWith('| 0.50, 0.50; loss 2.50 |'), its);
});

test('summary: a row per workload and one for what else is measured, whoever took part', () => {
  assert.equal(
    summaryOf([TABLE, LOST], ['BIRD 2', 'ours', 'GoBGP']),
    [
      '|   | ours | BIRD 2 | GoBGP | ours to BIRD 2 | ours to GoBGP | loop late ms, own |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      '| (a) into the RIB, 10,000 | 0.250, 0.50, 100 | 0.500, 1.00, 100 | over 60 s | 0.50, 0.50 |  | 18, 10 |',
      '| (b) mesh, 200 | 1.00, 2.00, 100 | 2.00, 4.00, 100 |  | 0.50, 0.50 |  |  |',
      '| (b) one killed | 0.0030 (0.0050) | 0.0012 (0.0008) |  | 2.50 |  |  |',
    ].join('\n'),
  );
});

test('summary: large tables have bytes per path, and what is no daemon a line of its own', () => {
  const outcomes = new Map([...TABLE.outcomes, ['raw netlink', measured(0.2)] as const]);
  const lines = summaryOf([{ ...TABLE, size: 1_000_000, outcomes }], ['BIRD 2', 'ours']).split(
    '\n',
  );
  assert.deepEqual(lines.slice(2), [
    '| (a) into the RIB, 1,000,000 | 0.250, 0.50, 100, 120 | 0.500, 1.00, 100, 120 | 0.50, 0.50 | 18, 10 |',
    '',
    '- (a) into the RIB, 1,000,000, raw netlink: 0.200 s, CPU 0.40 s; ours to it: 1.25, 1.25',
  ]);
});

test('summary: a size that was not tried says which one has told so', () => {
  const outcomes = new Map<string, Outcome>([
    ['GoBGP', { kind: 'hopeless', known: { size: 1_000, seconds: 60, isOver: true } }],
  ]);
  const rows = summaryOf([{ ...TABLE, outcomes }], ['ours', 'GoBGP']);
  assert.ok(
    rows.endsWith('| (a) into the RIB, 10,000 |  | not tried: 1,000 took over 60.0 s |  |  |'),
    rows,
  );
});

test('seconds have three digits that count', () => {
  const texts = [54.321, 4.2849, 0.2401, 0.0123, 0.00344].map(secondsText);
  assert.deepEqual(texts, ['54.3', '4.28', '0.240', '0.012', '0.0034']);
});

test('ratios have two digits, small ones three, and need something to compare with', () => {
  assert.deepEqual([ratio(1, 3), ratio(1, 30), ratio(0, 0)], ['0.33', '0.033', '–']);
});
