import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContestantName } from './arguments.ts';
import type { Sample } from './measure.ts';
import { medians, type Outcome, Turns } from './turns.ts';

const SAMPLE: Sample = {
  connect: 0.1,
  seconds: 1,
  cpu: 2,
  loss: Number.NaN,
  firstLoss: Number.NaN,
  lossCpu: 0,
  peakMegabytes: 100,
  bytesPerPath: 120,
  loopLate: Number.NaN,
  loopBusy: Number.NaN,
  playersCpu: 0.5,
};
const TERMS = { rounds: 3, onceOver: 10, limitOf: () => 60 };

function taking(seconds: number): Sample {
  return { ...SAMPLE, seconds };
}

function kinds(outcomes: ReadonlyMap<ContestantName, Outcome>): Record<string, string> {
  return Object.fromEntries(Array.from(outcomes, ([name, { kind }]) => [name, kind]));
}

test('medians are taken of each figure by itself', () => {
  const samples = [3, 1, 2].map((seconds) => ({ ...SAMPLE, seconds, cpu: 10 - seconds }));
  assert.deepEqual(medians(samples), { ...SAMPLE, seconds: 2, cpu: 8 });
  assert.equal(medians([]), undefined);
});

test('of two the median lies between them; of delays the longest counts', () => {
  const samples = [1, 3].map((seconds) => ({ ...SAMPLE, seconds, loopLate: seconds, loopBusy: 1 }));
  assert.deepEqual(medians(samples), { ...SAMPLE, seconds: 2, loopLate: 3, loopBusy: 1 });
});

test('contestants take turns, and each is the first once', async () => {
  const order: string[] = [];
  const outcomes = await new Turns(TERMS).run(['bird', 'ours', 'frr'], 10, (name) => {
    order.push(name);
    return Promise.resolve(SAMPLE);
  });
  assert.equal(order.join(' '), 'bird ours frr ours frr bird frr bird ours');
  assert.deepEqual(outcomes.get('ours'), { kind: 'measured', sample: SAMPLE, rounds: 3 });
});

test('who needs long is measured once, also when connecting or the loss of a peer is what takes long', async () => {
  const counts = { bird: 0, ours: 0, frr: 0 };
  const samples = {
    bird: { ...SAMPLE, connect: 11 },
    ours: SAMPLE,
    frr: { ...taking(6), loss: 5 },
  };
  const outcomes = await new Turns(TERMS).run(['bird', 'ours', 'frr'], 10, (name) => {
    counts[name as 'bird'] += 1;
    return Promise.resolve(samples[name as 'bird']);
  });
  assert.deepEqual(counts, { bird: 1, ours: 3, frr: 1 });
  assert.deepEqual(kinds(outcomes), { bird: 'measured', ours: 'measured', frr: 'measured' });
});

test('who goes over the limit is not tried again, nor with more', async () => {
  const turns = new Turns(TERMS);
  const tried: string[] = [];
  const measure = (name: ContestantName): Promise<Sample> => {
    tried.push(name);
    const isSlow = name === 'gobgp';
    return isSlow
      ? Promise.reject(new DOMException('too late', 'TimeoutError'))
      : Promise.resolve(SAMPLE);
  };
  const small = await turns.run(['gobgp', 'ours'], 10, measure);
  assert.deepEqual(small.get('gobgp'), { kind: 'over', limit: 60 });
  const large = await turns.run(['gobgp', 'ours'], 11, measure);
  assert.deepEqual(large.get('gobgp'), {
    kind: 'hopeless',
    known: { size: 10, seconds: 60, isOver: true },
  });
  assert.equal(tried.filter((name) => name === 'gobgp').length, 1);
  assert.equal(tried.filter((name) => name === 'ours').length, 6);
});

test('who would go over the limit, by what a smaller size took, is not tried', async () => {
  const turns = new Turns({ ...TERMS, limitOf: (name) => (name === 'gobgp' ? 25 : 24) });
  const names = ['gobgp', 'frr'] as const;
  await turns.run(names, 100, () => Promise.resolve(taking(5)));
  const outcomes = await turns.run(names, 1_000, () => Promise.resolve(SAMPLE));
  assert.deepEqual(kinds(outcomes), { gobgp: 'measured', frr: 'hopeless' });
});

test('who fails is left out, and the others go on', async (t) => {
  const complaints = t.mock.method(console, 'error', () => {});
  const outcomes = await new Turns(TERMS).run(['bird', 'ours'], 10, (name) =>
    name === 'bird' ? Promise.reject(new Error('exit code 1')) : Promise.resolve(SAMPLE),
  );
  assert.deepEqual(kinds(outcomes), { bird: 'failed', ours: 'measured' });
  assert.equal(complaints.mock.calls[0]?.arguments[0], 'bird, 10: Error: exit code 1');
});
