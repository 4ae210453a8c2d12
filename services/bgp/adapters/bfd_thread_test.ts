import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BfdState } from '@calico/bfd-wire';
import { systemClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import type { BfdStatus } from '../core/bfd/types.ts';
import { BfdThread } from './bfd_thread.ts';

const QUIET = { info: () => {}, warn: () => {} };
const SETTINGS = { minReceiveMs: 300, minTransmitMs: 300, detectMultiplier: 3, isMultihop: true };

test('the thread reports, says what it cannot do, and ends', async () => {
  const first = new Map<bigint, PromiseWithResolvers<BfdStatus>>();
  const addresses = ['127.0.0.1', '127.0.0.2'].map((text) => parseAddress(text));
  for (const { value } of addresses) first.set(value, Promise.withResolvers());
  const thread = new BfdThread({
    clock: systemClock,
    log: QUIET,
    onStatus: (status) => first.get(status.address.value)?.resolve(status),
  });
  const [here, there] = addresses as [(typeof addresses)[0], (typeof addresses)[0]];
  // 192.0.2.1 is not assigned to any machine.
  const elsewhere = parseAddress('192.0.2.1');
  thread.configure([
    { address: here, sourceAddress: here, settings: SETTINGS },
    { address: there, sourceAddress: elsewhere, settings: SETTINGS },
  ]);
  const good = await first.get(here.value)?.promise;
  const bad = await first.get(there.value)?.promise;
  // Another BFD may have the port on the machine that this runs on.
  if (good?.problem !== '') assert.match(good?.problem ?? '', /EADDRINUSE/);
  assert.equal(good?.state, BfdState.Down);
  assert.match(bad?.problem ?? '', /EADDRNOTAVAIL|EADDRINUSE/);
  await thread.stop();
});
