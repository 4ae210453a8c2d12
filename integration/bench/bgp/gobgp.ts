import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { type PeerPlan, SPEAKER, type World } from './world.ts';

/** It has no table of the kernel's of its own. */
export const gobgp: Daemon = {
  name: 'GoBGP',
  hasKernel: false,
  start(arena, world) {
    const file = join(arena.directory, 'gobgp.toml');
    writeFileSync(file, configuration(world));
    const child = arena.start(
      `gobgpd -f ${file} --api-hosts 127.0.0.1:50051 --pprof-disable -l fatal`.split(' '),
    );
    return Promise.resolve({
      processes: [child],
      stop: () => arena.stop(child, 'SIGKILL'),
    });
  },
};

function configuration({ peers, isReflector }: World): string {
  return `[global.config]
  as = ${SPEAKER.asn}
  router-id = "${SPEAKER.address}"
  port = 179
  local-address-list = ["${SPEAKER.address}"]
${peers.every(({ told }) => told === 'all') ? '' : exportPolicy(peers)}
${peers.map((peer) => neighbourOf(peer, isReflector)).join('')}`;
}

/** It asks for every route and peer: hence who is told comes first, and the many that are not have no rule. */
function exportPolicy(peers: readonly PeerPlan[]): string {
  const [all, markers] = (['all', 'markers'] as const).map((told) =>
    peers.filter((peer) => peer.told === told).map(({ address }) => address),
  );
  return `[global.apply-policy.config]
  export-policy-list = ["told"]
  default-export-policy = "reject-route"
[[defined-sets.prefix-sets]]
  prefix-set-name = "markers"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "9.9.0.0/16"
    masklength-range = "16..24"
${neighbourSet('all', all)}${neighbourSet('markers', markers)}
[[policy-definitions]]
  name = "told"
${acceptance('all', all)}${acceptance('markers', markers)}`;
}

function neighbourSet(name: string, addresses: readonly string[] = []): string {
  if (addresses.length === 0) return '';
  const list = addresses.map((address) => `"${address}/32"`).join(', ');
  return `[[defined-sets.neighbor-sets]]
  neighbor-set-name = "${name}"
  neighbor-info-list = [${list}]
`;
}

function acceptance(told: 'all' | 'markers', addresses: readonly string[] = []): string {
  if (addresses.length === 0) return '';
  const prefixes = `    [policy-definitions.statements.conditions.match-prefix-set]
      prefix-set = "markers"
`;
  return `  [[policy-definitions.statements]]
    name = "${told}"
    [policy-definitions.statements.conditions.match-neighbor-set]
      neighbor-set = "${told}"
${told === 'markers' ? prefixes : ''}    [policy-definitions.statements.actions]
      route-disposition = "accept-route"
`;
}

function neighbourOf({ address, asn }: PeerPlan, isReflector: boolean): string {
  const reflector = `  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "${SPEAKER.address}"
`;
  return `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = ${asn}
  [neighbors.transport.config]
    passive-mode = true
    local-address = "${SPEAKER.address}"
${isReflector && asn === SPEAKER.asn ? reflector : ''}  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
`;
}
