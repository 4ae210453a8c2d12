import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import type { Netlink, NextHopObject, Request } from '@calico/netlink';
import { NextHopObjects } from './next_hop_objects.ts';

const HOP = { gateway: parseAddress('192.168.80.101'), interfaceIndex: 2, onlink: false };
const MANY = 513;

function world() {
  const made: NextHopObject[] = [];
  const netlink = {
    nextHopObjects: () => [],
    execute: (requests: readonly Request[]) => {
      for (const each of requests) if (each.kind === 'nexthop-add') made.push(each.nextHop);
      return [];
    },
  } as unknown as Netlink;
  const objects = new NextHopObjects(netlink);
  for (let count = 0; count < MANY; count++) objects.wayFor(4, HOP);
  const [object] = made;
  assert.ok(object);
  return { objects, object };
}

const idOf = (objects: NextHopObjects): number | undefined => objects.wayFor(4, HOP)?.id;

test('changed() knows our own objects from those of others', () => {
  const { objects, object } = world();
  assert.equal(objects.changed('new', object), false, 'our own doing');
  const other = { ...object, id: 7, protocol: 3 };
  assert.equal(objects.changed('new', other), false);
  assert.equal(objects.changed('deleted', other), false);
  assert.equal(idOf(objects), object.id);
});

test('an object that somebody has deleted or changed is not referred to any more', () => {
  for (const action of ['deleted', 'new'] as const) {
    const { objects, object } = world();
    const changed = { ...object, interfaceIndex: action === 'new' ? 3 : 2 };
    assert.equal(objects.changed(action, changed), true);
    assert.equal(idOf(objects), 0);
  }
});

test('routes of an earlier process go with its objects', () => {
  const { objects, object } = world();
  assert.equal(objects.changed('deleted', { ...object, id: 7 }), true);
  assert.equal(idOf(objects), object.id);
});
