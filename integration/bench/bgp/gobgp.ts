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
  const those = (told: PeerPlan['told']): string[] =>
    peers.filter((peer) => peer.told === told).map(({ address }) => address);
  return `[global.config]
  as = ${SPEAKER.asn}
  router-id = "${SPEAKER.address}"
  port = 179
  local-address-list = ["${SPEAKER.address}"]
[global.apply-policy.config]
  export-policy-list = ["told"]
  default-export-policy = "accept-route"
[[defined-sets.prefix-sets]]
  prefix-set-name = "markers"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "9.9.0.0/16"
    masklength-range = "16..24"
${neighbourSet('silent', those('nothing'))}${neighbourSet('counted', those('markers'))}
[[policy-definitions]]
  name = "told"
${those('nothing').length === 0 ? '' : statement('silent', false)}
${those('markers').length === 0 ? '' : `${statement('counted', true)}${statement('counted', false)}`}
${peers.map((peer) => neighbourOf(peer, isReflector)).join('')}`;
}

function neighbourSet(name: string, addresses: readonly string[]): string {
  if (addresses.length === 0) return '';
  const list = addresses.map((address) => `"${address}/32"`).join(', ');
  return `[[defined-sets.neighbor-sets]]
  neighbor-set-name = "${name}"
  neighbor-info-list = [${list}]
`;
}

function statement(set: string, acceptsMarkers: boolean): string {
  const prefixes = acceptsMarkers
    ? `    [policy-definitions.statements.conditions.match-prefix-set]
      prefix-set = "markers"
`
    : '';
  return `  [[policy-definitions.statements]]
    name = "${set}-${acceptsMarkers}"
    [policy-definitions.statements.conditions.match-neighbor-set]
      neighbor-set = "${set}"
${prefixes}    [policy-definitions.statements.actions]
      route-disposition = "${acceptsMarkers ? 'accept' : 'reject'}-route"
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
