import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTESTANTS, parseArguments, type Request, UsageError } from './arguments.ts';
import { WORKLOADS } from './workloads.ts';

function parsed(...args: readonly string[]): Request {
  const request = parseArguments(args);
  assert.ok(request !== 'help');
  return request;
}

test('without arguments everything is measured', () => {
  const request = parsed();
  assert.deepEqual(
    request.workloads.map(({ workload }) => workload),
    Object.values(WORKLOADS),
  );
  assert.deepEqual(request.workloads[0]?.sizes, [10_000, 100_000, 500_000, 1_000_000]);
  assert.deepEqual(request.contestants, CONTESTANTS);
  assert.deepEqual([request.rounds, request.onceOver, request.limitOf('bird')], [3, 10, 90]);
});

test('workloads, sizes and daemons are taken in the order in which they are named', () => {
  const request = parsed('mesh', 'rib', '--sizes', '50,10k,1M', '--daemons', 'ours,frr');
  assert.deepEqual(
    request.workloads.map(({ workload }) => workload),
    [WORKLOADS['mesh'], WORKLOADS['rib']],
  );
  assert.deepEqual(request.workloads[1]?.sizes, [50, 10_000, 1_000_000]);
  assert.deepEqual(request.contestants, ['ours', 'frr']);
});

test('a limit holds for all, or for the daemon that is named', () => {
  const both = parsed('--limit', '20,gobgp=300');
  assert.deepEqual([both.limitOf('gobgp'), both.limitOf('ours')], [300, 20]);
  const own = parsed('--limit', 'frr=9');
  assert.deepEqual([own.limitOf('frr'), own.limitOf('ours')], [9, 90]);
});

test('help is asked for before anything else is judged', () => {
  assert.equal(parseArguments(['nonsense', '-h']), 'help');
});

for (const [args, message] of [
  [['ribs'], /Cannot measure "ribs": no such workload, there are rib, receiver/],
  [['--daemons', 'bird,quagga'], /Cannot measure "quagga": no such daemon, there are bird, ours/],
  [['--sizes', '10x'], /Cannot take "10x" of --sizes: expected a number like 10000, 10k or 1M/],
  [['--sizes', '0'], /Cannot take "0" of --sizes/],
  [['--sizes', '11M'], /Cannot take "11M" of --sizes/],
  [['--repeat', '0'], /Cannot take "0" for --repeat: expected 1 to 99/],
  [['--once-over', 'soon'], /Cannot take "soon" for --once-over: expected 1 to 3600/],
  [['--limit', 'gobgp='], /Cannot take "" for --limit/],
  [['--limit', 'quagga=3'], /Cannot measure "quagga"/],
  [['--colour'], /Cannot read the arguments: Unknown option '--colour'/],
] as const) {
  test(`not understood: ${args.join(' ')}`, () => {
    assert.throws(
      () => parseArguments(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}
