import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@calico/clock';
import { BusUnavailable } from './errors.ts';
import { MemoryBroker } from './memory_broker.ts';
import { NodeRefused } from './questions.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const refusal = (code: string) => (cause: unknown) =>
  cause instanceof NodeRefused && cause.code === code;

test('ask() gives the answer or the refusal of the node that was asked', async () => {
  const broker = new MemoryBroker(systemClock);
  const [asking, answering] = [broker.connect(), broker.connect()];
  const ask = (node: string, question: string): Promise<Uint8Array> =>
    asking.ask(node, question, bytes('x'), 60_000);
  await assert.rejects(ask('n1.example', 'echo'), BusUnavailable);
  const stop = answering.answer('n1.example', async (question, request) => {
    if (question === 'long') return new Uint8Array(1_000_001);
    if (question !== 'echo') {
      throw Object.assign(new Error(`what is ${question}?`), { code: 'UNIMPLEMENTED' });
    }
    return bytes(`${new TextDecoder().decode(request)}!`);
  });
  assert.deepEqual(await ask('n1.example', 'echo'), bytes('x!'));
  await assert.rejects(ask('n2.example', 'echo'), BusUnavailable);
  await assert.rejects(ask('n1.example', 'other'), refusal('UNIMPLEMENTED'));
  await assert.rejects(ask('n1.example', 'long'), refusal('RESOURCE_EXHAUSTED'));
  stop();
  await assert.rejects(ask('n1.example', 'echo'), BusUnavailable);
  await broker.close();
});
