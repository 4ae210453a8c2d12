import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints, type Outcome, runRows, runStages, type Stage } from './stages.ts';

const PASSED: Outcome = { passed: 3, failed: 0, skipped: 1, output: '' };
const FAILED: Outcome = { passed: 2, failed: 1, skipped: 1, output: 'it broke' };

/** A stage whose runs end as given. */
function stage(name: string, outcomes: readonly Outcome[], isRepeatable = true): Stage {
  const left = [...outcomes];
  return {
    name,
    isRepeatable,
    run: async () => left.shift() ?? assert.fail(`${name}: run too often`),
  };
}

test('a repeatable stage that failed is run once more, and named when it passes', async () => {
  const count = await runStages([stage('a', [PASSED]), stage('b', [FAILED, PASSED])]);
  assert.deepEqual(count, { passed: 6, failed: 0, skipped: 2, unstable: ['b'] });
  assert.deepEqual(complaints(count), ['unstable, a defect to mend: b failed, then passed']);
});

test('a stage that fails again, or that is not repeatable, has failed', async () => {
  const count = await runStages([stage('a', [FAILED, FAILED]), stage('b', [FAILED], false)]);
  assert.deepEqual(count, { passed: 4, failed: 2, skipped: 2, unstable: [] });
});

test('a stage whose runtime crashed is run once more', async () => {
  const count = await runStages([stage('a', [{ ...FAILED, isCrash: true }, PASSED], false)]);
  assert.deepEqual([count.failed, count.unstable], [0, ['a']]);
});

test('the fourth stage that fails is no accident', async () => {
  const three = ['a', 'b', 'c'].map((name) => stage(name, [FAILED, PASSED]));
  const count = await runStages([...three, stage('d', [FAILED])]);
  assert.deepEqual([count.failed, count.unstable], [1, ['a', 'b', 'c']]);
});

test('rows of stages run side by side, and are counted together', async () => {
  const met = Promise.withResolvers<void>();
  const waits: Stage = { name: 'a', run: () => met.promise.then(() => PASSED) };
  const comes: Stage = {
    name: 'b',
    run: async () => {
      met.resolve();
      return FAILED;
    },
  };
  const count = await runRows([[waits], [comes], []]);
  assert.deepEqual(count, { passed: 5, failed: 1, skipped: 2, unstable: [] });
});

test('a stage that throws has failed, and the other rows come to their end', async () => {
  const lost: Stage = { name: 'a', run: () => Promise.reject(new Error('no machine')) };
  const count = await runRows([[lost, stage('b', [PASSED])], [stage('c', [PASSED])]]);
  assert.deepEqual(count, { passed: 6, failed: 1, skipped: 2, unstable: [] });
});
