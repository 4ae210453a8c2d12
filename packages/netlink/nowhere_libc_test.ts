import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNowhere } from './open.ts';
import { routeTemplate } from './route_template.ts';

const ROUTE = {
  type: 'blackhole',
  table: 254,
  protocol: 12,
  scope: 'global',
  nextHops: [],
} as const;

test('nowhere takes every request', async () => {
  const { batch, netlink } = openNowhere();
  const template = routeTemplate('add', 4, ROUTE);
  for (let index = 0; index < 300; index++) batch.addRoute(template, 24, index * 256, 0, 0, 0);
  assert.deepEqual(batch.execute(), []);
  batch.addRoute(template, 24, 0, 0, 0, 0);
  assert.deepEqual(await new Promise((resolve) => batch.submit(resolve)), []);
  const route = { ...ROUTE, destination: { family: 4, value: 0n, length: 24 } } as const;
  assert.deepEqual(netlink.execute([{ kind: 'route', action: 'add', route }]), []);
});

test('nowhere has nothing', () => {
  const { netlink } = openNowhere();
  assert.deepEqual(netlink.links(), []);
  assert.deepEqual(netlink.routes({ family: 4 }), []);
  assert.equal(netlink.linkByName('eth0'), undefined);
  assert.equal(netlink.linkByIndex(1), undefined);
});

test('everybody is on the link of nowhere', () => {
  const { netlink } = openNowhere();
  for (const family of [4, 6] as const) {
    for (const ask of [netlink.entryFor.bind(netlink), netlink.routeTo.bind(netlink)]) {
      const route = ask({ family, value: 7n });
      assert.equal(route?.destination.family, family);
      assert.deepEqual(route.nextHops, [{ interfaceIndex: 1 }]);
    }
  }
});
