import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeferredMetrics } from './deferred_metrics.ts';
import type { Metrics } from './metrics.ts';

test('DeferredMetrics tells everything in order, also what came before attach()', () => {
  const told: string[] = [];
  const real: Metrics = {
    counter: (name) => ({ add: (amount = 1) => told.push(`${name} +${amount}`) }),
    gauge: (name) => ({
      set: (value, labels) => told.push(`${name} ${value} ${String(labels?.['a'])}`),
    }),
    histogram: (name, _description, buckets) => ({
      record: (value) => told.push(`${name} ${value} in ${buckets?.join()}`),
    }),
    observe: (name, _description, read) => told.push(`${name} ${read()}`),
    observeEach: (name, _description, read) => {
      for (const { value, labels } of read()) told.push([name, labels['a'], value].join(' '));
    },
  };
  const metrics = new DeferredMetrics();
  const counter = metrics.counter('calls', '');
  const gauge = metrics.gauge('blocks', '');
  counter.add();
  gauge.set(2, { a: 'x' });
  metrics.observe('seen', '', () => 7);
  metrics.observeEach('each', '', () => [{ value: 8, labels: { a: 'x' } }]);
  assert.deepEqual(told, []);
  metrics.attach(real);
  counter.add(3);
  metrics.histogram('seconds', '', [1, 2]).record(1.5);
  assert.deepEqual(told, [
    'calls +1',
    'blocks 2 x',
    'seen 7',
    'each x 8',
    'calls +3',
    'seconds 1.5 in 1,2',
  ]);
});
