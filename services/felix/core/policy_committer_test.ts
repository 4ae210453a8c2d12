import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import type { PolicyInputs } from '../ports.ts';
import { PolicyCommitter } from './policy_committer.ts';

const INPUTS = { node: 'n1' } as PolicyInputs;

/** A filter whose commits end when the test says so. */
function slowFilter() {
  const running: PromiseWithResolvers<void>[] = [];
  return {
    running,
    apply: (): Promise<void> => {
      const commit = Promise.withResolvers<void>();
      running.push(commit);
      return commit.promise;
    },
  };
}

async function idle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

test('commit() asked for in one turn shares a transaction', async () => {
  const filter = slowFilter();
  const committer = new PolicyCommitter(filter, () => INPUTS, new FakeClock());
  const all = Promise.all([committer.commit(), committer.commit(), committer.commit()]);
  await idle();
  assert.equal(filter.running.length, 1);
  filter.running[0]?.resolve();
  await all;
});

test('commit() asked for while one runs waits for the next, not for that one', async () => {
  const filter = slowFilter();
  const committer = new PolicyCommitter(filter, () => INPUTS, new FakeClock());
  const first = committer.commit();
  await idle();
  let isDone = false;
  const waiting = async (): Promise<void> => {
    await Promise.all([committer.commit(), committer.commit()]);
    isDone = true;
  };
  const later = waiting();
  filter.running[0]?.resolve();
  await first;
  await idle();
  assert.equal(filter.running.length, 2);
  assert.equal(isDone, false);
  filter.running[1]?.resolve();
  await later;
});

test('commit() rejects those whom the failed transaction served, and goes on', async () => {
  const filter = slowFilter();
  const committer = new PolicyCommitter(filter, () => INPUTS, new FakeClock());
  const failing = committer.commit();
  await idle();
  const next = committer.commit();
  filter.running[0]?.reject(new Error('no memory'));
  await assert.rejects(failing, /no memory/);
  await idle();
  filter.running[1]?.resolve();
  await next;
});

test('commit() does nothing while nothing is known', async () => {
  const filter = slowFilter();
  await new PolicyCommitter(filter, () => undefined, new FakeClock()).commit();
  assert.equal(filter.running.length, 0);
});

test('commit() rejects when the filter does not answer, and serves again once it does', async () => {
  const filter = slowFilter();
  const clock = new FakeClock();
  const committer = new PolicyCommitter(filter, () => INPUTS, clock);
  const stuck = committer.commit();
  await idle();
  const later = committer.commit();
  clock.advance(15_000);
  await assert.rejects(stuck, /no answer of the packet filter for 15 s/);
  await assert.rejects(later, /no answer of the packet filter for 15 s/);
  filter.running[0]?.resolve();
  await idle();
  filter.running[1]?.resolve();
  await idle();
  const served = committer.commit();
  await idle();
  filter.running[2]?.resolve();
  await served;
});
