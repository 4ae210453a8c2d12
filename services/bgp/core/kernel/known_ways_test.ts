import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { KnownWays, type NextHop } from './known_ways.ts';

const WAY = { gateway: undefined, interfaceIndex: 2 };

function hop(text: string, interfaceName?: string): NextHop {
  return { address: parseAddress(text), interfaceName };
}

test('what a round does not ask about, and nobody looks for meanwhile, is forgotten', () => {
  const ways = new KnownWays();
  const [asked, looked, left] = ['10.0.0.1', '10.0.0.2', '2001:db8::1'].map((text) => hop(text));
  assert.ok(asked && looked && left);
  assert.equal(ways.of(asked), undefined);
  for (const each of [asked, looked, left]) ways.set(each, WAY);
  ways.roundBegins();
  ways.set(asked, undefined);
  assert.deepEqual(ways.of(looked), { resolution: WAY });
  ways.roundIsOver();
  assert.deepEqual(
    [asked, looked, left].map((each) => ways.of(each)),
    [{ resolution: undefined }, { resolution: WAY }, undefined],
  );
});

test('a link-local next hop is another one on another link', () => {
  const ways = new KnownWays();
  ways.set(hop('fe80::1', 'eth1'), WAY);
  assert.deepEqual(ways.of(hop('fe80::1', 'eth1')), { resolution: WAY });
  assert.equal(ways.of(hop('fe80::1', 'eth2')), undefined);
});
