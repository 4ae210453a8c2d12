// The speaker under test, without the rest of the service: sessions, tables, policy, kernel.
import { systemClock } from '@calico/clock';
import { type Address, parseAddress, parsePrefix } from '@calico/ip';
import { openNetlink } from '@calico/netlink';
import { KernelRoutes } from '../../services/bgp/adapters/kernel_routes.ts';
import { listenTcp, tcpTransport } from '../../services/bgp/adapters/tcp_transport.ts';
import { Host } from '../../services/bgp/core/host/host.ts';
import { REMOVE_ANYTHING } from '../../services/bgp/core/kernel/changes.ts';
import { KernelSync } from '../../services/bgp/core/kernel/kernel_sync.ts';
import { NO_FILTERS } from '../../services/bgp/core/policy/route_filter.ts';
import { type PeerConfig, PLAIN_SOCKET } from '../../services/bgp/core/speaker/config.ts';
import { Speaker } from '../../services/bgp/core/speaker/speaker.ts';
import { FEEDER, RECEIVER, SPEAKER } from './bgp_roles.ts';

const own = parseAddress(SPEAKER.address);
const everything = parsePrefix('0.0.0.0/0');
const speaker = new Speaker({ isRestarted: false });
const kernel =
  process.argv[2] === 'kernel'
    ? new KernelSync(new KernelRoutes(openNetlink()), speaker.rib)
    : undefined;
kernel?.configure({
  pools: [],
  subnet: { 4: parsePrefix('10.99.0.0/24'), 6: undefined },
  ownBlocks: new Set(),
  services: [],
  statics: [],
  programs: { noEncapsulation: true, ipip: true },
});
kernel?.allowRemoval(REMOVE_ANYTHING);

const host = new Host({
  speaker,
  transport: tcpTransport,
  clock: systemClock,
  random: Math.random,
  defer: (callback) => void setImmediate(callback),
  onRoutes: (news) => void kernel?.update(news),
  onNote: () => {},
});
host.configure({
  listenPort: 179,
  ownRoutes: [],
  local: {
    asn: SPEAKER.asn,
    routerId: 1,
    address: { 4: own, 6: undefined },
    subnet: { 4: parsePrefix('10.99.0.0/24'), 6: undefined },
    clusterId: undefined,
    pools: [{ prefix: everything, isEnabled: true, isExported: true }],
    advertisements: [],
    serviceRanges: [],
  },
  peers: new Map([FEEDER, RECEIVER].map(({ address, asn }) => [address, peer(address, asn)])),
});
process.once('SIGTERM', () => process.exit(0));
host.completeExports();
await listenTcp({
  address: own,
  port: 179,
  accept: (from: Address, connection) => host.accept(from, connection),
});

function peer(text: string, asn: number): PeerConfig {
  const address = parseAddress(text);
  return {
    key: text,
    address,
    port: 179,
    type: 'global',
    remoteNode: undefined,
    socket: PLAIN_SOCKET,
    sourceAddress: own,
    session: {
      localAsn: SPEAKER.asn,
      routerId: 1,
      remoteAsn: asn,
      isPassive: true,
      extendedNextHop: false,
      addPathReceive: false,
      addPathSend: false,
      isMember: false,
      delayOpenMs: 0,
      role: undefined,
      isRoleStrict: false,
      keepsOnNotification: false,
      longLivedSeconds: 0,
      families: [4],
      holdTimeSeconds: 90,
      keepaliveSeconds: undefined,
      restartTimeSeconds: 120,
    },
    policy: {
      address,
      isInternal: false,
      isReflectorClient: false,
      nextHopMode: 'Auto',
      localAsn: SPEAKER.asn,
      allowedOwnAs: 0,
      filters: NO_FILTERS,
    },
  };
}
