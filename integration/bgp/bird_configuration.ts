// BIRD as upstream's templates configure it on a node, reduced to what matters between speakers.
import type { BirdVersion } from '../cluster/foreign_node.ts';
import type { Speaker } from './bgp_lab.ts';

export type BirdOptions = {
  readonly blocks: readonly string[];
  /** Lines inside every `protocol bgp`. */
  readonly extra?: string;
  readonly asn?: number;
};

export function birdConfiguration(
  version: BirdVersion,
  self: Speaker,
  peers: readonly Speaker[],
  options: BirdOptions,
): string {
  const { blocks, extra = '', asn = 64512 } = options;
  const routes = blocks.map((block) => `route ${block} blackhole;`).join(' ');
  const neighbours = peers.map(
    ({ address }) => `protocol bgp Mesh_${address.replaceAll('.', '_')} from bgp_template {
  neighbor ${address} as 64512; ${extra}
}`,
  );
  return `router id ${self.address};
log stderr all;
filter calico_export_to_bgp_peers { if (net ~ 10.244.0.0/16) then accept; reject; }
filter calico_kernel_programming { if source ~ [ RTS_BGP, RTS_STATIC ] then accept; reject; }
protocol device { scan time 2; }
${version === '2' ? bird2(self, routes, asn) : bird16(self, routes, asn)}
${neighbours.join('\n')}
`;
}

function bird2({ address }: Speaker, routes: string, asn: number): string {
  return `protocol direct { ipv4; interface -"cali*", -"kube-ipvs*", "*"; }
protocol kernel {
  learn; persist; scan time 2; merge paths on; graceful restart;
  ipv4 { import all; export filter calico_kernel_programming; };
}
protocol static blocks { ipv4; ${routes} }
template bgp bgp_template {
  local ${address} as ${asn};
  multihop;
  graceful restart;
  connect delay time 2; connect retry time 5; error wait time 5,30;
  ipv4 { gateway recursive; import all; export filter calico_export_to_bgp_peers; add paths on; };
}`;
}

function bird16({ address }: Speaker, routes: string, asn: number): string {
  return `protocol direct { interface -"cali*", -"kube-ipvs*", "*"; }
protocol kernel {
  learn; persist; scan time 2; merge paths on; graceful restart;
  import all; export filter calico_kernel_programming;
}
protocol static blocks { ${routes} }
template bgp bgp_template {
  local as ${asn};
  source address ${address};
  multihop;
  gateway recursive;
  import all;
  export filter calico_export_to_bgp_peers;
  add paths on;
  graceful restart;
  connect delay time 2; connect retry time 5; error wait time 5,30;
}`;
}
