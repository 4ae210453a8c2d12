import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '@calico/ip';
import { bgpConfiguration, node } from '../../testing/resources.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { listenFor } from './listen.ts';

/** Where a node with an IPv4 address listens: IPv4, IPv6, and for its workloads. */
function places(spec: Readonly<Record<string, unknown>>): unknown[] {
  const resources = [node('a', '192.168.80.100/24'), bgpConfiguration(spec)];
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources));
  assert(derived !== undefined);
  const { addresses, workloadPeering = [] } = listenFor(derived, derived.speaker, false);
  const { 4: v4, 6: v6 } = addresses;
  return [v4 && formatAddress(v4), v6 && formatAddress(v6), ...workloadPeering.map(formatAddress)];
}

test('workloads are listened for where the node listens anyway, or at their own address of it', () => {
  const localWorkloadPeeringIPV4 = '169.254.0.179';
  assert.deepEqual(places({}), ['0.0.0.0', undefined]);
  assert.deepEqual(places({ localWorkloadPeeringIPV4 }), ['0.0.0.0', undefined]);
  assert.deepEqual(places({ localWorkloadPeeringIPV4, bindMode: 'NodeIP' }), [
    '192.168.80.100',
    undefined,
    '169.254.0.179',
  ]);
  assert.deepEqual(places({ localWorkloadPeeringIPV6: 'fd00::179' }), [
    '0.0.0.0',
    undefined,
    'fd00::179',
  ]);
  assert.deepEqual(places({ localWorkloadPeeringIPV6: 'fe80::179' }), ['0.0.0.0', '::']);
});
