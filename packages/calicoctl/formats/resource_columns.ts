// What `get` shows of each kind: headings with the text of a resource under each.
import { KINDS, type Kind } from '@calico/model';
import { CommandError } from '../command_error.ts';

/** A resource's document as the server stores it. */
export type ResourceDocument = {
  readonly kind: Kind;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
};

/** What the text of a cell may depend on besides its resource. */
export type ColumnContext = {
  /** AS number of nodes that have none of their own. */
  readonly defaultAsn: string;
};

export type Column = {
  readonly heading: string;
  readonly text: (resource: ResourceDocument, context: ColumnContext) => string;
};

export type KindColumns = { readonly ps: readonly Column[]; readonly wide: readonly Column[] };

const NAME: Column = { heading: 'NAME', text: ({ metadata }) => metadata.name };
export const NAMESPACE: Column = {
  heading: 'NAMESPACE',
  text: ({ metadata }) => metadata.namespace ?? '',
};

/** A column that shows a field of the spec. */
function field(heading: string, path: string, absent = ''): Column {
  return { heading, text: (resource) => textOf(valueAt(resource, path), absent) };
}

/** The first of these fields of the spec that says something: upstream writes absent texts as "". */
function firstOf(resource: ResourceDocument, fields: readonly string[], absent = ''): string {
  const found = fields.map((name) => textOf(valueAt(resource, name))).find((text) => text !== '');
  return found ?? absent;
}

function count(heading: string, path: string): Column {
  const text = (resource: ResourceDocument) => {
    const list = valueAt(resource, path);
    return String(Array.isArray(list) ? list.length : 0);
  };
  return { heading, text };
}

const TIER = field('TIER', 'tier', 'default');
const POLICY: KindColumns = {
  ps: [NAME, TIER],
  wide: [NAME, TIER, field('ORDER', 'order'), field('SELECTOR', 'selector')],
};
const NAME_ONLY: KindColumns = { ps: [NAME], wide: [NAME] };
const NETS: KindColumns = { ps: [NAME], wide: [NAME, field('NETS', 'nets')] };

const WORKLOAD: Column = {
  heading: 'WORKLOAD',
  text: ({ spec = {} }) =>
    textOf(spec['pod'] ?? spec['workload'] ?? spec['containerID'] ?? spec['endpoint']),
};
const WORKLOAD_PLACE = [
  WORKLOAD,
  field('NODE', 'node'),
  field('NETWORKS', 'ipNetworks'),
  field('INTERFACE', 'interfaceName'),
];

const ASN: Column = {
  heading: 'ASN',
  text: (resource, { defaultAsn }) =>
    valueAt(resource, 'bgp') === undefined
      ? ''
      : textOf(valueAt(resource, 'bgp.asNumber'), `(${defaultAsn})`),
};

const PEER_NODE: Column = {
  heading: 'NODE',
  text: (resource) => firstOf(resource, ['node', 'nodeSelector'], '(global)'),
};
/** Whatever the far end is known by. */
const PEER_IP: Column = {
  heading: 'PEERIP',
  text: (resource) =>
    firstOf(resource, [
      'peerIP',
      'peerPrefix',
      'peerInterface',
      'peerSelector',
      'localWorkloadSelector',
    ]),
};
const PEER_ASN: Column = {
  heading: 'ASN',
  text: (resource) => firstOf(resource, ['asNumber', 'remoteAS'], '0'),
};
const NATS: Column = {
  heading: 'NATS',
  text: (resource) => {
    const nats = valueAt(resource, 'ipNATs') as { externalIP?: unknown }[] | undefined;
    return (nats ?? []).map(({ externalIP }) => textOf(externalIP)).join(',');
  },
};

const SERVICE_TYPE = field('TYPE', 'type', 'ClusterIP');
const SERVICE_CLUSTER: Column = {
  heading: 'CLUSTERIPS',
  text: ({ spec = {} }) => textOf(spec['clusterIPs'] ?? spec['clusterIP']),
};
/** Addresses from outside of the cluster: of load balancers, and others. */
const SERVICE_EXTERNAL: Column = {
  heading: 'EXTERNALIPS',
  text: ({ spec = {}, status }) => {
    const { loadBalancer } = (status ?? {}) as { loadBalancer?: { ingress?: { ip?: unknown }[] } };
    const given = (loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip || []);
    return textOf([...given, ...((spec['externalIPs'] as unknown[] | undefined) ?? [])]);
  },
};

function same(...columns: readonly Column[]): KindColumns {
  return { ps: columns, wide: columns };
}

export const COLUMNS: Readonly<Record<Kind, KindColumns>> = {
  BGPConfiguration: same(
    NAME,
    field('LOGSEVERITY', 'logSeverityScreen', '-'),
    field('MESHENABLED', 'nodeToNodeMeshEnabled', '-'),
    field('ASNUMBER', 'asNumber', '-'),
  ),
  BGPFilter: same(
    NAME,
    count('NUMEXPORTV4', 'exportV4'),
    count('NUMIMPORTV4', 'importV4'),
    count('NUMEXPORTV6', 'exportV6'),
    count('NUMIMPORTV6', 'importV6'),
  ),
  BGPPeer: same(NAME, PEER_IP, PEER_NODE, PEER_ASN),
  BlockAffinity: same(NAME, field('CIDR', 'cidr'), field('NODE', 'node'), field('STATE', 'state')),
  CalicoNodeStatus: {
    ps: [NAME, field('NODE', 'node')],
    wide: [NAME, field('NODE', 'node'), field('CLASSES', 'classes')],
  },
  ClusterInformation: same(
    NAME,
    field('CLUSTERGUID', 'clusterGUID'),
    field('CLUSTERTYPE', 'clusterType'),
    field('CALICOVERSION', 'calicoVersion'),
    field('DATASTOREREADY', 'datastoreReady'),
  ),
  FelixConfiguration: NAME_ONLY,
  GlobalNetworkPolicy: POLICY,
  GlobalNetworkSet: NETS,
  HostEndpoint: {
    ps: [NAME, field('NODE', 'node')],
    wide: [
      NAME,
      field('NODE', 'node'),
      field('INTERFACE', 'interfaceName'),
      field('IPS', 'expectedIPs'),
      field('PROFILES', 'profiles'),
    ],
  },
  IPAMBlock: same(NAME, field('CIDR', 'cidr'), field('AFFINITY', 'affinity')),
  IPAMConfiguration: {
    ps: [
      NAME,
      field('STRICTAFFINITY', 'strictAffinity', 'false'),
      field('AUTOALLOCATEBLOCKS', 'autoAllocateBlocks', 'true'),
    ],
    wide: [
      NAME,
      field('STRICTAFFINITY', 'strictAffinity', 'false'),
      field('AUTOALLOCATEBLOCKS', 'autoAllocateBlocks', 'true'),
      field('MAXBLOCKSPERHOST', 'maxBlocksPerHost', '0'),
    ],
  },
  IPPool: {
    ps: [NAME, field('CIDR', 'cidr'), field('SELECTOR', 'nodeSelector', 'all()')],
    wide: [
      NAME,
      field('CIDR', 'cidr'),
      field('NAT', 'natOutgoing', 'false'),
      field('IPIPMODE', 'ipipMode', 'Never'),
      field('VXLANMODE', 'vxlanMode', 'Never'),
      field('DISABLED', 'disabled', 'false'),
      field('DISABLEBGPEXPORT', 'disableBGPExport', 'false'),
      field('SELECTOR', 'nodeSelector', 'all()'),
      field('ASSIGNMENTMODE', 'assignmentMode', 'Automatic'),
    ],
  },
  IPReservation: { ps: [NAME], wide: [NAME, field('CIDRS', 'reservedCIDRs')] },
  KubeControllersConfiguration: NAME_ONLY,
  KubernetesEndpointSlice: same(NAME, field('ADDRESSTYPE', 'addressType')),
  KubernetesService: {
    ps: [NAME, SERVICE_TYPE, SERVICE_CLUSTER, SERVICE_EXTERNAL],
    wide: [
      NAME,
      SERVICE_TYPE,
      SERVICE_CLUSTER,
      SERVICE_EXTERNAL,
      field('EXTERNALTRAFFICPOLICY', 'externalTrafficPolicy', 'Cluster'),
      field('SELECTOR', 'selector'),
    ],
  },
  LiveMigration: NAME_ONLY,
  NetworkPolicy: POLICY,
  NetworkSet: NETS,
  Node: {
    ps: [NAME],
    wide: [NAME, ASN, field('IPV4', 'bgp.ipv4Address'), field('IPV6', 'bgp.ipv6Address')],
  },
  Profile: { ps: [NAME], wide: [NAME, field('LABELS', 'labelsToApply')] },
  StagedGlobalNetworkPolicy: POLICY,
  StagedKubernetesNetworkPolicy: {
    ps: [NAME],
    wide: [NAME, field('PODSELECTOR', 'podSelector')],
  },
  StagedNetworkPolicy: POLICY,
  Tier: same(NAME, field('ORDER', 'order')),
  WorkloadEndpoint: {
    ps: WORKLOAD_PLACE,
    wide: [NAME, ...WORKLOAD_PLACE, field('PROFILES', 'profiles'), NATS],
  },
};

/** The columns of a kind with these headings, in the order given. @throws CommandError */
export function columnsByHeading(kind: Kind, headings: readonly string[]): Column[] {
  const { ps, wide } = COLUMNS[kind];
  const all = KINDS[kind].namespaced ? [NAMESPACE, ...wide, ...ps] : [...wide, ...ps];
  return headings.map((heading) => {
    const wanted = heading.trim().toUpperCase();
    const found = all.find((column) => column.heading === wanted);
    if (found !== undefined) return found;
    const known = new Set(all.map((column) => column.heading));
    throw new CommandError(
      `Cannot print column "${heading}" of ${kind}: expected one of ${[...known].join(', ')}`,
      { advice: 'With -o json or -o yaml every field is printed.' },
    );
  });
}

function valueAt({ spec }: ResourceDocument, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], spec);
}

function textOf(value: unknown, absent = ''): string {
  if (value === undefined || value === null || value === '') return absent;
  if (Array.isArray(value)) return value.map((each) => textOf(each)).join(',');
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value);
  return Object.entries(value)
    .map(([name, each]) => `${name}=${textOf(each)}`)
    .join(',');
}
