import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import type { Link, Netlink } from '@calico/netlink';
import { UplinkFinder } from './uplink_finder.ts';

const UNDERLAY = 'fd00:80::101';

test('find() asks all devices only for an address that is not where it was', () => {
  let holder: number | undefined = 2;
  let mtu = 1500;
  const asked: (number | undefined)[] = [];
  const netlink: Pick<Netlink, 'addresses' | 'linkByIndex'> = {
    addresses: ({ interfaceIndex } = {}) => {
      asked.push(interfaceIndex);
      if (holder === undefined || (interfaceIndex ?? holder) !== holder) return [];
      const address = parseAddress(UNDERLAY);
      return [{ interfaceIndex: holder, address, prefixLength: 64, scope: 'global' }];
    },
    linkByIndex: (index) => ({ name: `eth${index}`, mtu }) as Link,
  };
  const finder = new UplinkFinder(netlink);
  assert.deepEqual(finder.find(UNDERLAY), { device: 'eth2', mtu: 1500 });
  mtu = 1400;
  assert.deepEqual(finder.find(UNDERLAY), { device: 'eth2', mtu: 1400 });
  assert.deepEqual(asked, [undefined, 2]);
  holder = 3;
  assert.equal(finder.find(UNDERLAY)?.device, 'eth3');
  assert.deepEqual(asked.slice(2), [2, undefined]);
  holder = undefined;
  assert.equal(finder.find(UNDERLAY), undefined);
});
