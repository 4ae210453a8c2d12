// What changes do to the kernel of fake_world.ts.
import type { Kernel } from '../ports.ts';
import { addressKey, fdbKey, neighbourKey, routeKey } from './dataplane.ts';
import type { FakeWorld } from './fake_world.ts';

export function fakeKernel(world: FakeWorld, alive: () => void): Kernel {
  return {
    read: ({ podAddresses }) => {
      const found = world.found();
      if (!podAddresses) return { ...found, podAddresses: new Map() };
      world.addressDumps += 1;
      return found;
    },
    execute: (changes) => {
      alive();
      for (const change of changes) {
        world.kernelLog.push(change.kind);
        applyChange(world, change);
      }
      return [];
    },
    uplinkOf: (address) =>
      ['192.168.80.101', 'fd00:80::101'].includes(address)
        ? { device: 'ens33', mtu: 1500 }
        : undefined,
    hostInterfaces: () => [{ name: 'ens33', addresses: ['192.168.80.101'] }],
    probe: (feature) => world.missing.get(feature),
    enableForwarding: () => {
      world.dataplaneLooks += 1;
      return [];
    },
  };
}

/** The kernel's side of a change. */
export function applyChange(
  world: Pick<
    FakeWorld,
    'tunnels' | 'routes' | 'neighbours' | 'fdb' | 'podAddresses' | 'devices' | 'removeDevice'
  >,
  change: Parameters<Kernel['execute']>[0][number],
): void {
  switch (change.kind) {
    case 'tunnel-create':
    case 'tunnel-set': {
      const { name, mtu, vxlan } = change.tunnel;
      const addresses =
        change.kind === 'tunnel-set' ? (world.tunnels.get(name)?.addresses ?? []) : [];
      const found = vxlan && { ...vxlan, learning: false };
      if (change.kind === 'tunnel-create') dropTunnel(world, name);
      world.tunnels.set(name, { name, mtu, addresses, up: true, isOurs: true, vxlan: found });
      return;
    }
    case 'tunnel-remove':
      return dropTunnel(world, change.device);
    case 'address-put':
    case 'address-remove': {
      const { device, address } = change;
      const tunnel = world.tunnels.get(device);
      if (tunnel === undefined) {
        const key = addressKey(change);
        if (change.kind === 'address-put') world.podAddresses.set(key, { device, address });
        else world.podAddresses.delete(key);
        return;
      }
      const others = tunnel.addresses.filter(({ value }) => value !== change.address.value);
      const addresses = change.kind === 'address-put' ? [...others, change.address] : others;
      world.tunnels.set(change.device, { ...tunnel, addresses });
      return;
    }
    case 'settings-put': {
      const device = world.devices.get(change.device);
      if (device !== undefined) device.settings = change.settings;
      return;
    }
    case 'pod-device-remove':
      return world.removeDevice(change.device);
    case 'neighbour-put':
      world.neighbours.set(neighbourKey(change.neighbour), change.neighbour);
      return;
    case 'neighbour-remove':
      world.neighbours.delete(neighbourKey(change.neighbour));
      return;
    case 'fdb-put':
      world.fdb.set(fdbKey(change.entry), change.entry);
      return;
    case 'fdb-remove':
      world.fdb.delete(fdbKey(change.entry));
      return;
    case 'route-put':
      world.routes.set(routeKey(change.route), change.route);
      return;
    case 'route-remove':
      world.routes.delete(routeKey(change.route));
      return;
    default:
      change satisfies never;
  }
}

function dropTunnel(
  world: Pick<FakeWorld, 'tunnels' | 'routes' | 'neighbours' | 'fdb'>,
  name: string,
): void {
  world.tunnels.delete(name);
  for (const map of [world.routes, world.neighbours, world.fdb]) {
    for (const [key, { device }] of map) if (device === name) map.delete(key);
  }
}
