import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { type Change, describeChange, planChanges } from './changes.ts';
import {
  addressKey,
  type Dataplane,
  EMPTY_DATAPLANE,
  type FoundDataplane,
  fdbKey,
  neighbourKey,
  type OwnedRoute,
  POD_DEVICE_SETTINGS,
  routeKey,
  type TunnelDevice,
} from './dataplane.ts';
import { describeDrift } from './drift.ts';
import { applyChange } from './fake_kernel.ts';

const REMOTES = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((text) => parseAddress(text));
const PODS = ['cali1', 'cali2'];

function vxlan(mtu: number, vni: number, address: string | undefined): TunnelDevice {
  return {
    name: 'vxlan.calico',
    mtu,
    address: address === undefined ? undefined : parseAddress(address),
    vxlan: {
      vni,
      port: 4789,
      local: parseAddress('192.168.80.101'),
      parent: 'ens33',
      mac: '66:00:00:00:00:01',
    },
  };
}

function route(destination: string, device: string, gateway?: string): OwnedRoute {
  return {
    destination: parsePrefix(destination),
    device,
    gateway: gateway === undefined ? undefined : parseAddress(gateway),
    onlink: gateway !== undefined,
    protocol: gateway === undefined ? 3 : 80,
    scope: gateway === undefined ? 'link' : 'global',
    metric: 0,
  };
}

const dataplanes: fc.Arbitrary<Dataplane> = fc
  .record({
    tunnel: fc.option(
      fc.record({
        mtu: fc.constantFrom(1450, 1400),
        vni: fc.constantFrom(4096, 5000),
        address: fc.constantFrom('10.244.0.0', '10.244.0.1'),
      }),
      { nil: undefined },
    ),
    remotes: fc.array(
      fc.record({ at: fc.nat(2), mac: fc.constantFrom('66:00:00:00:00:02', '66:00:00:00:00:03') }),
    ),
    pods: fc.array(fc.record({ device: fc.constantFrom(...PODS), last: fc.nat(5) })),
    peers: fc.array(fc.nat(2)),
    native: fc.array(fc.nat(3)),
  })
  .map(({ tunnel, remotes, pods, peers, native }) => {
    const peering = pods.flatMap(({ device }) => peers.map((last) => ({ device, last })));
    const routes: OwnedRoute[] = native.map((n) =>
      route(`10.9.${n}.0/26`, 'ens33', '192.168.80.9'),
    );
    const neighbours = [];
    const fdb = [];
    if (tunnel !== undefined) {
      for (const { at, mac } of remotes) {
        const address = REMOTES[at];
        if (address === undefined) continue;
        neighbours.push({ device: 'vxlan.calico', address, mac });
        fdb.push({ device: 'vxlan.calico', mac, destination: address });
        routes.push(route(`10.8.${at}.0/26`, 'vxlan.calico', `10.0.0.${at + 1}`));
      }
    }
    for (const { device, last } of pods) routes.push(route(`10.7.0.${last}/32`, device));
    return {
      tunnels: new Map(
        tunnel === undefined
          ? []
          : [['vxlan.calico', vxlan(tunnel.mtu, tunnel.vni, tunnel.address)]],
      ),
      routes: new Map(routes.map((owned) => [routeKey(owned), owned])),
      neighbours: new Map(neighbours.map((neighbour) => [neighbourKey(neighbour), neighbour])),
      fdb: new Map(fdb.map((entry) => [fdbKey(entry), entry])),
      podDevices: new Map(pods.map(({ device }) => [device, POD_DEVICE_SETTINGS])),
      podAddresses: new Map(
        peering.map(({ device, last }) => {
          const owned = { device, address: parseAddress(`169.254.0.${last}`) };
          return [addressKey(owned), owned];
        }),
      ),
    };
  });

/** A kernel that starts with pods' devices and does as it is told. */
class FakeKernel {
  readonly tunnels = new Map();
  readonly routes = new Map();
  readonly neighbours = new Map();
  readonly fdb = new Map();
  readonly podAddresses = new Map();
  readonly devices = new Map();

  constructor() {
    for (const name of PODS) this.addPod(name);
  }

  addPod(name: string): void {
    this.devices.set(name, { settings: { ...POD_DEVICE_SETTINGS, proxyArp: false } });
  }

  removeDevice(name: string): void {
    this.devices.delete(name);
    for (const map of [this.routes, this.podAddresses]) {
      for (const [key, owned] of map) if (owned.device === name) map.delete(key);
    }
  }

  found(): FoundDataplane {
    const podDevices = new Map([...this.devices].map(([name, { settings }]) => [name, settings]));
    const { tunnels, routes, neighbours, fdb, podAddresses } = this;
    return {
      podDevices,
      tunnels: new Map(tunnels),
      routes: new Map(routes),
      neighbours: new Map(neighbours),
      fdb: new Map(fdb),
      podAddresses: new Map(podAddresses),
    };
  }

  /** As the reconciler: devices first, then what is on them. */
  converge(desired: Dataplane): number {
    for (let round = 0; round < 3; round++) {
      const changes = planChanges(desired, this.found(), { prune: true });
      if (changes.length === 0) return round;
      const creations = changes.filter(({ kind }) => kind === 'tunnel-create');
      for (const change of creations.length > 0 ? creations : changes) applyChange(this, change);
    }
    return planChanges(desired, this.found(), { prune: true }).length === 0 ? 3 : 99;
  }
}

test('planChanges() leads from any state to any state, after which nothing is left to do', () => {
  fc.assert(
    fc.property(fc.array(dataplanes, { minLength: 1, maxLength: 4 }), (states) => {
      const kernel = new FakeKernel();
      for (const desired of states) {
        for (const name of desired.podDevices.keys()) {
          if (!kernel.devices.has(name)) kernel.addPod(name);
        }
        assert(kernel.converge(desired) <= 3);
        const found = kernel.found();
        assert.deepEqual(found.routes, desired.routes);
        assert.deepEqual(found.neighbours, desired.neighbours);
        assert.deepEqual(found.fdb, desired.fdb);
        assert.deepEqual(found.podDevices, desired.podDevices);
        assert.deepEqual(found.podAddresses, desired.podAddresses);
        assert.deepEqual([...found.tunnels.keys()], [...desired.tunnels.keys()]);
      }
    }),
    { numRuns: 300 },
  );
});

test('planChanges() removes nothing before the desired state is complete', () => {
  fc.assert(
    fc.property(dataplanes, (state) => {
      const kernel = new FakeKernel();
      kernel.converge(state);
      assert.deepEqual(planChanges(EMPTY_DATAPLANE, kernel.found(), { prune: false }), []);
    }),
  );
});

test('planChanges() leaves the route of a pod without a device to the repair of the pod', () => {
  const owned = route('10.7.0.9/32', 'cali9');
  const desired = { ...EMPTY_DATAPLANE, routes: new Map([[routeKey(owned), owned]]) };
  const found = { ...EMPTY_DATAPLANE, tunnels: new Map() };
  assert.deepEqual(planChanges(desired, found, { prune: true }), []);
});

test('planChanges() clears a tunl0 that it set up, and leaves one of others alone', () => {
  const address = { family: 4, value: 0x0a_f4_3a_c0n } as const;
  const tunnel = {
    name: 'tunl0',
    up: true,
    mtu: 1480,
    isOurs: true,
    addresses: [address],
    vxlan: undefined,
  };
  const found = { ...EMPTY_DATAPLANE, tunnels: new Map([['tunl0', tunnel]]) };
  assert.deepEqual(
    planChanges(EMPTY_DATAPLANE, found, { prune: true }).map(({ kind }) => kind),
    ['address-remove', 'tunnel-remove'],
  );
  const others = {
    ...EMPTY_DATAPLANE,
    tunnels: new Map([['tunl0', { ...tunnel, isOurs: false }]]),
  };
  assert.deepEqual(planChanges(EMPTY_DATAPLANE, others, { prune: true }), []);
  const wanted = { name: 'tunl0', mtu: 1480, address, vxlan: undefined };
  const desired = { ...EMPTY_DATAPLANE, tunnels: new Map([['tunl0', wanted]]) };
  assert.deepEqual(planChanges(desired, others, { prune: true }), [
    { kind: 'tunnel-set', tunnel: wanted },
  ]);
});

test('describeDrift() speaks of what others did, not of what we want anew', () => {
  const owned = route('10.7.0.1/32', 'cali1');
  const before = { ...EMPTY_DATAPLANE, routes: new Map([[routeKey(owned), owned]]) };
  const put: Change = { kind: 'route-put', route: owned };
  assert.deepEqual(describeDrift([put], undefined), []);
  assert.deepEqual(describeDrift([put], EMPTY_DATAPLANE), []);
  assert.deepEqual(describeDrift([put], before), [
    'repaired: route 10.7.0.1/32 dev cali1 had been removed or changed by another',
  ]);
  const foreign: Change = { kind: 'route-remove', route: route('10.7.0.2/32', 'cali1') };
  assert.deepEqual(describeDrift([foreign], before), [
    'removed: route 10.7.0.2/32 dev cali1 had been added by another',
  ]);
  assert.deepEqual(describeDrift([{ kind: 'route-remove', route: owned }], before), []);
  assert.equal(describeChange(put), 'route 10.7.0.1/32 dev cali1');
});
