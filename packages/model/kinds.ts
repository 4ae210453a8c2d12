// The kinds of projectcalico.org/v3 as data.

export type Consumer = 'felix' | 'bgp';

export type KindInfo = {
  readonly kind: Kind;
  /** As in paths and on the command line: "ippools". */
  readonly plural: string;
  /** Other names for the command line, lower case. */
  readonly aliases: readonly string[];
  readonly namespaced: boolean;
  /** Made from IPAM's state; cannot be written as a resource. */
  readonly readOnly: boolean;
  /** Services on nodes that act on it; when there are any, it travels to the nodes. */
  readonly consumers: readonly Consumer[];
};

const CLUSTER = { namespaced: false, readOnly: false };
const NAMESPACED = { namespaced: true, readOnly: false };
const READ_ONLY = { namespaced: false, readOnly: true };
const NOBODY: readonly Consumer[] = [];
const FELIX: readonly Consumer[] = ['felix'];
const BGP: readonly Consumer[] = ['bgp'];
const BOTH: readonly Consumer[] = ['felix', 'bgp'];

const TABLE = {
  BGPConfiguration: row('bgpconfigurations', ['bgpconfig', 'bgpconfigs'], CLUSTER, BOTH),
  BGPFilter: row('bgpfilters', ['bgpf', 'bf', 'bgpfs', 'bfs'], CLUSTER, BGP),
  BGPPeer: row('bgppeers', ['bgpp', 'bp', 'bgpps', 'bps'], CLUSTER, BOTH),
  BlockAffinity: row('blockaffinities', ['affinity', 'affinities'], READ_ONLY, BOTH),
  CalicoNodeStatus: row('caliconodestatuses', ['nodestatus', 'nodestatuses'], CLUSTER, NOBODY),
  ClusterInformation: row('clusterinformations', ['clusterinfo', 'clusterinfos'], CLUSTER, FELIX),
  FelixConfiguration: row('felixconfigurations', ['felixconfig', 'felixconfigs'], CLUSTER, FELIX),
  GlobalNetworkPolicy: row('globalnetworkpolicies', ['gnp', 'gnps'], CLUSTER, FELIX),
  GlobalNetworkSet: row('globalnetworksets', ['gnetset', 'gnetsets'], CLUSTER, FELIX),
  HostEndpoint: row('hostendpoints', ['hep', 'heps'], CLUSTER, FELIX),
  IPAMBlock: row('ipamblocks', ['block', 'blocks'], READ_ONLY, BOTH),
  IPAMConfiguration: row('ipamconfigurations', ['ipamconfig', 'ipamconfigs'], CLUSTER, NOBODY),
  IPPool: row('ippools', ['ipp', 'ipps', 'pool', 'pools'], CLUSTER, BOTH),
  IPReservation: row('ipreservations', ['reservation', 'reservations'], CLUSTER, NOBODY),
  KubeControllersConfiguration: row(
    'kubecontrollersconfigurations',
    ['kubecontrollersconfig', 'kubecontrollersconfigs'],
    CLUSTER,
    NOBODY,
  ),
  KubernetesEndpointSlice: row(
    'kubernetesendpointslices',
    ['endpointslice', 'endpointslices'],
    NAMESPACED,
    BOTH,
  ),
  KubernetesService: row('kubernetesservices', ['service', 'services', 'svc'], NAMESPACED, BGP),
  LiveMigration: row('livemigrations', [], NAMESPACED, NOBODY),
  NetworkPolicy: row(
    'networkpolicies',
    ['policy', 'policies', 'np', 'nps', 'pol', 'pols'],
    NAMESPACED,
    FELIX,
  ),
  NetworkSet: row('networksets', ['netset', 'netsets'], NAMESPACED, FELIX),
  Node: row('nodes', ['no', 'nos'], CLUSTER, BOTH),
  Profile: row('profiles', ['pro', 'pros'], CLUSTER, FELIX),
  StagedGlobalNetworkPolicy: row('stagedglobalnetworkpolicies', ['sgnp', 'sgnps'], CLUSTER, FELIX),
  StagedKubernetesNetworkPolicy: row(
    'stagedkubernetesnetworkpolicies',
    ['sknp', 'sknps', 'skpol', 'skpols'],
    NAMESPACED,
    FELIX,
  ),
  StagedNetworkPolicy: row(
    'stagednetworkpolicies',
    ['snp', 'snps', 'spol', 'spols'],
    NAMESPACED,
    FELIX,
  ),
  Tier: row('tiers', [], CLUSTER, FELIX),
  WorkloadEndpoint: row('workloadendpoints', ['wep', 'weps'], NAMESPACED, BOTH),
} as const;

export type Kind = keyof typeof TABLE;

export const KINDS: Readonly<Record<Kind, KindInfo>> = Object.fromEntries(
  Object.entries(TABLE).map(([kind, info]) => [kind, { kind, ...info }]),
) as Record<Kind, KindInfo>;

const BY_NAME = new Map<string, KindInfo>(
  Object.values(KINDS).flatMap((info) =>
    [info.kind.toLowerCase(), info.plural, ...info.aliases].map((name) => [name, info] as const),
  ),
);

/** The kind with this name, plural or alias, in any case. */
export function findKind(text: string): KindInfo | undefined {
  return BY_NAME.get(text.toLowerCase());
}

/** Identity of a resource. */
export type ResourceKey = {
  readonly kind: Kind;
  /** '' for kinds that are not namespaced. */
  readonly namespace: string;
  readonly name: string;
};

export function keyOf(resource: {
  readonly kind: Kind;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}): ResourceKey {
  const { kind, metadata } = resource;
  const namespace = KINDS[kind].namespaced ? (metadata.namespace ?? '') : '';
  return { kind, namespace, name: metadata.name };
}

/** For people: 'NetworkPolicy "default/allow-dns"' */
export function keyTitle({ kind, namespace, name }: ResourceKey): string {
  return `${kind} "${namespace === '' ? '' : `${namespace}/`}${name}"`;
}

/** A text that differs for different keys; names and namespaces never hold "/". */
export function keyText({ kind, namespace, name }: ResourceKey): string {
  return `${kind}/${namespace}/${name}`;
}

function row(
  plural: string,
  aliases: readonly string[],
  scope: { readonly namespaced: boolean; readonly readOnly: boolean },
  consumers: readonly Consumer[],
): Omit<KindInfo, 'kind'> {
  return { plural, aliases, ...scope, consumers };
}
