import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { NextHopTable } from '../rib/next_hop_table.ts';
import { NextHopInterfaces } from './next_hop_interfaces.ts';

const [HOP, OTHER] = ['192.168.80.7', '192.168.80.8'].map((text) => parseAddress(text));

test('filters judge anew once when the kernel reaches next hops through other interfaces', () => {
  assert.ok(HOP && OTHER);
  const kernel = new FakeKernel();
  kernel.interfaces.set('eth1', 3).set('eth2', 4);
  let [asked, changes] = [0, 0];
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (...nextHop) => {
    asked += 1;
    return resolve(...nextHop);
  };
  const hops = new NextHopTable();
  const numbers = [HOP, OTHER].map((hop) => hops.intern(hop));
  const turns: (() => void)[] = [];
  let isAsking = false;
  const interfaces = new NextHopInterfaces(kernel, hops, {
    defer: (callback) => turns.push(callback),
    isAsking: () => isAsking,
    onChanged: () => (changes += 1),
  });
  const answer = (interfaceIndex: number, ...to: (typeof HOP)[]): void => {
    for (const hop of to) interfaces.take(hop, { gateway: undefined, interfaceIndex });
  };
  answer(3, HOP);
  assert.deepEqual([interfaces.of(HOP), interfaces.of(HOP), asked], ['ens33', 'ens33', 1]);
  answer(2, HOP);
  interfaces.take(HOP, { gateway: OTHER, interfaceIndex: 2 });
  answer(3, OTHER);
  assert.equal(turns.length, 0, 'another gateway, or a next hop that nobody asks for');
  assert.equal(interfaces.of(OTHER), 'ens33');
  isAsking = true;
  answer(3, HOP);
  turns.shift()?.();
  answer(3, OTHER);
  isAsking = false;
  turns.shift()?.();
  assert.deepEqual([turns.length, changes, interfaces.of(HOP)], [0, 1, 'eth1']);
  kernel.interfaces.delete('eth1');
  kernel.interfaces.set('eth7', 3);
  answer(3, HOP);
  assert.equal(turns.length, 0);
  interfaces.forgetNames();
  answer(3, HOP);
  assert.deepEqual([turns.length, interfaces.of(HOP)], [1, 'eth7']);
  // Its number is another one's now.
  for (const number of numbers) hops.release(number);
  hops.intern(parseAddress('192.168.80.9'));
  hops.intern(parseAddress('192.168.80.10'));
  answer(4, parseAddress('192.168.80.9'), parseAddress('192.168.80.10'));
  assert.equal(turns.length, 1);
  assert.equal(interfaces.of(parseAddress('192.168.80.9')), 'ens33');
});
