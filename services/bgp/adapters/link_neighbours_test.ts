import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import type { Netlink } from '@calico/netlink';
import { LinkNeighbours } from './link_neighbours.ts';

test('an interface that does not exist is waited for, and no longer when it is not wanted', async () => {
  const clock = new FakeClock(0);
  let changes = 0;
  const links = new LinkNeighbours({
    clock,
    random: () => 0,
    netlink: {} as Netlink,
    onChange: () => (changes += 1),
  });
  links.configure(['nowhere0', 'nowhere1']);
  clock.advance(10_000);
  assert.equal(links.neighbourOn('nowhere0'), undefined);
  assert.deepEqual(links.problems, []);
  links.configure([]);
  clock.advance(10_000);
  assert.equal(changes, 0);
  links.configure(['nowhere0']);
  assert.equal(clock.pending, 1);
  await links.close();
  links.configure(['nowhere0']);
  assert.equal(clock.pending, 0, 'nothing goes on after close()');
});
