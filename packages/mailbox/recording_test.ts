import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { RecordingError, record, replay } from './recording.ts';

async function* from<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const item of items) yield item;
}

test('replay(record()) is what went through, with its times', async () => {
  const clock = new FakeClock(5);
  const items = [
    { kind: 'put', revision: 7n, labels: new Map([['a', 1n]]), gone: undefined },
    { kind: 'bytes', wire: Uint8Array.of(0, 255), set: new Set(['x']) },
    { $: 'looks like our own', value: [1, null, 'two', { $: 3 }] },
    'text',
    undefined,
    null,
  ];
  let text = '';
  const passed: unknown[] = [];
  for await (const item of record(from<unknown>(items), clock, (line) => {
    text += line;
  })) {
    passed.push(item);
    clock.advance(10);
  }
  assert.deepEqual(passed, items);
  const replayed = [...replay<unknown>(text)];
  assert.deepEqual(
    replayed.map(({ item }) => item),
    items,
  );
  assert.deepEqual(
    replayed.map(({ at }) => at),
    [5, 15, 25, 35, 45, 55],
  );
});

test('replay() leaves out an unfinished last line and names any other bad one', () => {
  const good = '{"at":1,"item":1}\n';
  assert.equal([...replay(`${good}{"at":2,"it`)].length, 1);
  const bad = [
    'nonsense',
    '{"item":1}',
    'null',
    '{"at":1,"item":{"$":"date"}}',
    '{"at":1,"item":{"$":"bigint","value":"x"}}',
  ];
  for (const line of bad) {
    assert.throws(
      () => [...replay(`${good}${line}\n${good}`)],
      (error: unknown) => error instanceof RecordingError && error.line === 2,
      line,
    );
  }
});
