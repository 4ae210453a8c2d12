import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilConnected } from './until_connected.ts';

class Source {
  connected = false;
  readonly callbacks = new Set<(connected: boolean) => void>();

  onStateChange(callback: (connected: boolean) => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  say(connected: boolean): void {
    this.connected = connected;
    for (const callback of this.callbacks) callback(connected);
  }
}

test('untilConnected() waits for the connection and then listens no more', async () => {
  const source = new Source();
  const waiting = untilConnected(source, new AbortController().signal);
  source.say(false);
  assert.equal(source.callbacks.size, 1);
  source.say(true);
  await waiting;
  assert.equal(source.callbacks.size, 0);
  await untilConnected(source, new AbortController().signal);
});

test('untilConnected() ends with the signal', async () => {
  const [source, controller] = [new Source(), new AbortController()];
  const waiting = untilConnected(source, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  assert.equal(source.callbacks.size, 0);
  await assert.rejects(untilConnected(source, controller.signal), /enough/);
});
