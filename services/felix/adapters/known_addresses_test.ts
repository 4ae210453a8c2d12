import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import type { MonitorEvent } from '@calico/netlink';
import { KnownAddresses } from './known_addresses.ts';

const event = (action: 'new' | 'deleted', interfaceIndex = 2): MonitorEvent => ({
  kind: 'address',
  action,
  address: {
    interfaceIndex,
    address: parseAddress('2001:db8::1'),
    prefixLength: 64,
    scope: 'global',
  },
});

test('isRepeated() is true of an address that is there already, until it goes or events are lost', () => {
  const known = new KnownAddresses();
  assert.equal(known.isRepeated(event('new')), false);
  assert.equal(known.isRepeated(event('new')), true);
  assert.equal(known.isRepeated(event('new', 3)), false, 'on another interface');
  assert.equal(known.isRepeated(event('deleted')), false);
  assert.equal(known.isRepeated(event('new')), false);
  assert.equal(known.isRepeated({ kind: 'overrun' }), false);
  assert.equal(known.isRepeated(event('new')), false);
});
