import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkloadEndpoint } from '@calico/model';
import * as fc from 'fast-check';
import { PodRoutes } from './pod_routes.ts';

/** Few devices and addresses, so that endpoints often claim the same. */
const endpoint = fc
  .record({
    device: fc.constantFrom('cali1', 'cali2', 'cali3', 'eth0'),
    networks: fc.subarray(['10.0.0.1/32', '10.0.0.2/32', 'fd00::1/128']),
    spoofs: fc.boolean(),
    role: fc.constantFrom('web', 'db'),
  })
  .map(
    ({ device, networks, spoofs, role }) =>
      ({
        metadata: { name: device, labels: { role } },
        spec: {
          interfaceName: device,
          ipNetworks: networks,
          ...(spoofs ? { allowSpoofedSourcePrefixes: ['192.0.2.0/24'] } : {}),
        },
      }) as unknown as WorkloadEndpoint,
  );

const steps = fc.array(
  fc.record({
    keep: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    added: fc.array(endpoint, { maxLength: 3 }),
    maySpoof: fc.boolean(),
  }),
  { maxLength: 6 },
);

test('PodRoutes follows any changes to what a fresh look finds', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const followed = new PodRoutes();
      let list: readonly WorkloadEndpoint[] = [];
      for (const { keep, added, maySpoof } of all) {
        list = [...list.filter((_, index) => keep[index % 4]), ...added];
        const configuration = { workloadSourceSpoofing: maySpoof ? 'Any' : 'Disabled' } as const;
        const fresh = new PodRoutes().compute(list, configuration);
        assert.deepEqual(followed.compute(list, configuration), fresh);
      }
    }),
  );
});

const pod = (role: string, interfaceName = 'cali1', address = '10.0.0.1/32'): WorkloadEndpoint =>
  ({
    metadata: { name: 'a', labels: { role } },
    spec: { interfaceName, ipNetworks: [address] },
  }) as unknown as WorkloadEndpoint;

test('PodRoutes answers the same objects when only labels have changed', () => {
  const pods = new PodRoutes();
  const before = pods.compute([pod('web')], {});
  assert.equal(pods.compute([pod('db')], {}), before);
  assert.equal(before.routes.size, 1);
  assert.equal(pods.compute([], {}).routes.size, 0);
});

test('PodRoutes takes the route of an endpoint that goes while two others come to claim one device', () => {
  const pods = new PodRoutes();
  pods.compute([pod('web'), pod('web', 'cali2', '10.0.0.2/32')], {});
  const { routes, podDevices } = pods.compute([pod('db'), pod('cache')], {});
  assert.deepEqual([...routes.keys()], ['10.0.0.1/32 0']);
  assert.deepEqual([...podDevices.keys()], ['cali1']);
});
