import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Origin } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';
import { PrefixTable } from '../rib/prefix_table.ts';
import { isMartian, MARTIAN } from './martians.ts';

const MARTIANS = [
  ['0.0.0.0/8', '0.1.2.0/24', '127.0.0.0/8', '127.1.0.0/16', '224.0.0.0/4', '239.1.2.3/32'],
  ['255.255.255.255/32', 'fe80::/10', 'febf::/16', 'ff00::/8', 'ff02::1/128'],
  ['::/128', '::1/128'],
].flat();
const OTHERS = [
  ['0.0.0.0/0', '0.0.0.0/1', '1.0.0.0/8', '126.0.0.0/7', '128.0.0.0/1', '192.0.0.0/2'],
  ['223.255.255.0/24', '224.0.0.0/3', '240.0.0.0/4', '255.255.255.254/32'],
  ['::/0', '::/127', '::2/128', '64:ff9b::/96', '2001:db8::/32', 'fd00::/8', 'fe00::/9'],
  ['fec0::/10', 'fe00::/7'],
].flat();

test('martian prefixes are told from others', () => {
  const prefixes = new PrefixTable();
  const found = [...MARTIANS, ...OTHERS].filter((text) =>
    isMartian(prefixes, prefixes.intern(parsePrefix(text))),
  );
  assert.deepEqual(found, MARTIANS);
});

test('a martian that a peer tells is kept out and says why, the rest of the update is taken in', () => {
  const peer = new ScriptedPeer();
  const announced = ['127.0.0.0/8', '10.1.0.0/16', '224.0.0.0/4'].map((text) => ({
    prefix: parsePrefix(text),
  }));
  const nextHop = parseAddress('192.168.80.101');
  const attributes = { origin: Origin.Igp, asPath: [], localPreference: 100, nextHop };
  peer.say({ kind: 'update', withdrawn: [], announced, attributes, problems: [] });
  peer.clock.advance(100);
  const { received, session } = peer.peer;
  assert.deepEqual([received.size, received.refusedCount, session.losses], [1, 2, 0]);
  const reasons = Array.from(received.refused(), ({ reason }) => reason);
  assert.deepEqual(reasons, [MARTIAN, MARTIAN]);
});
