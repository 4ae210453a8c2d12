// The interfaces of pods in fake_world.ts.
import type { PodNetwork } from '../ports.ts';
import { type PodDeviceSettings, routeKey } from './dataplane.ts';
import type { FakeWorld } from './fake_world.ts';
import { gatewaysOf, type PodInterface } from './pod_interface.ts';
import { podRoute } from './pod_routes.ts';
import { hostNetwork } from './workload_endpoint.ts';
import { WorkloadError } from './workload_error.ts';

const OFF: PodDeviceSettings = {
  up: true,
  proxyArp: false,
  forwarding: false,
  reversePathFilter: false,
};

export function fakePods(world: FakeWorld, alive: () => void): PodNetwork {
  const find = (pod: Pick<PodInterface, 'netns' | 'interfaceName'>) =>
    [...world.devices.values()].find(
      (device) => device.pod.netns === pod.netns && device.pod.interfaceName === pod.interfaceName,
    );
  const check = (pod: PodInterface): void => {
    if (!world.netns.has(pod.netns)) {
      throw new WorkloadError('precondition', `Cannot enter "${pod.netns}": it does not exist`);
    }
    const found = find(pod);
    if (found !== undefined && found.pod.hostInterface !== pod.hostInterface) {
      throw new WorkloadError('precondition', 'the name is taken there');
    }
  };
  return {
    check,
    createPair: (pod) => {
      alive();
      check(pod);
      if (!world.devices.has(pod.hostInterface)) {
        world.devices.set(pod.hostInterface, { pod, settings: OFF, isPodConfigured: false });
      }
    },
    configurePod: (pod) => {
      alive();
      const device = world.devices.get(pod.hostInterface);
      if (device !== undefined) device.isPodConfigured = true;
    },
    configureHost: (pod) => {
      alive();
      const device = world.devices.get(pod.hostInterface);
      if (device === undefined) return;
      device.settings = { up: true, proxyArp: true, forwarding: true, reversePathFilter: true };
      for (const address of pod.addresses) {
        const route = podRoute(hostNetwork(address), pod.hostInterface);
        world.routes.set(routeKey(route), route);
      }
    },
    inspect: (pod) => {
      const device = world.devices.get(pod.hostInterface);
      const routes = [...world.routes.values()].filter(
        (route) => route.device === pod.hostInterface,
      );
      return {
        netnsExists: world.netns.has(pod.netns),
        host: device && {
          up: device.settings.up,
          mtu: device.pod.mtu,
          mac: device.pod.hostMac,
          settings: device.settings,
          routes: pod.addresses
            .map(hostNetwork)
            .filter((network) => routes.some((route) => routeKey(route).startsWith(`${network} `))),
        },
        container: device && {
          up: true,
          mtu: device.pod.mtu,
          mac: device.pod.containerMac,
          isPeer: true,
          addresses: device.isPodConfigured ? pod.addresses.map(hostNetwork) : [],
          gateways: gatewaysOf(pod.addresses),
          neighbours: new Map(gatewaysOf(pod.addresses).map((gateway) => [gateway, pod.hostMac])),
        },
      };
    },
    netnsExists: (netns) => world.netns.has(netns),
    isPair: (pair) => find(pair)?.pod.hostInterface === pair.hostInterface,
    deviceExists: (name) => world.devices.has(name),
    deleteDevice: (name) => {
      alive();
      world.removeDevice(name);
    },
  };
}
