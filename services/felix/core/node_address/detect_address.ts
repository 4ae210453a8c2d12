// Finds the node's address among those of its interfaces. Never guesses: when two addresses are
// equally good, the answer is the list of them.
import {
  type Address,
  type Family,
  formatAddress,
  hostPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixOf,
  sameAddress,
} from '@calico/ip';
import type { DetectionMethod } from './detection_method.ts';

export type InterfaceAddressInfo = {
  readonly address: Address;
  readonly prefixLength: number;
  /** IFA_F_SECONDARY: another address of the same network comes first. */
  readonly secondary?: boolean;
  /** IPv6: IFA_F_TEMPORARY, IFA_F_DEPRECATED or IFA_F_TENTATIVE; it will go away or may not come. */
  readonly transient?: boolean;
};

export type NodeInterface = {
  readonly name: string;
  readonly addresses: readonly InterfaceAddressInfo[];
  readonly up: boolean;
};

export type Candidate = {
  readonly interface: string;
  readonly address: Address;
  readonly prefix: Prefix;
};

export type Detection =
  | ({ readonly kind: 'found' } & Candidate)
  | { readonly kind: 'ambiguous'; readonly candidates: readonly Candidate[] }
  | { readonly kind: 'none'; readonly reason: string };

export type DetectionOptions = {
  /** Default: 4. */
  readonly family?: Family;
  /** The Kubernetes node's InternalIP, for the method of that name. */
  readonly internalAddress?: Address;
};

// Interfaces of containers, bridges and tunnels; the same list as upstream's.
const NOT_OF_THE_NODE = [
  /^docker.*/,
  /^cbr.*/,
  /^dummy.*/,
  /^virbr.*/,
  /^lxcbr.*/,
  /^veth.*/,
  /^lo/,
  /^cali.*/,
  /^tunl.*/,
  /^flannel.*/,
  /^kube-ipvs.*/,
  /^cni.*/,
  /^vxlan\.calico.*/,
  /^vxlan-v6\.calico.*/,
  /^wireguard\.cali.*/,
  /^wg-v6\.cali.*/,
  /^nodelocaldns.*/,
];

/** @param routeSource the source address that the kernel takes towards an address or host name */
export function detectAddress(
  method: DetectionMethod,
  interfaces: readonly NodeInterface[],
  routeSource: (destination: string) => Address | undefined,
  options: DetectionOptions = {},
): Detection {
  const family = options.family ?? 4;
  const usable = interfaces.flatMap((each) => candidatesOf(each, family));
  const ofNode = usable.filter(({ interface: name }) => !matchesAny(NOT_OF_THE_NODE, name));
  switch (method.kind) {
    case 'first-found':
      return only(
        ofNode,
        `no interface that is up has an IPv${family} address${downHint(interfaces)}`,
      );
    case 'skip-interface':
      return only(
        ofNode.filter(({ interface: name }) => !matchesAny(method.patterns, name)),
        `no interface that is up and not skipped has an IPv${family} address${downHint(interfaces)}`,
      );
    case 'interface':
      return byName(method.patterns, usable, interfaces, family);
    case 'cidr':
      return only(
        ofNode.filter(({ address }) =>
          method.prefixes.some((each) => prefixContains(each, address)),
        ),
        `no IPv${family} address lies in the given CIDRs; found ${listText(ofNode)}`,
      );
    case 'can-reach':
      return byRoute(method.destination, interfaces, routeSource(method.destination), family);
    case 'kubernetes-internal-ip':
      return byInternalAddress(options.internalAddress, interfaces, family);
    default:
      return method satisfies never;
  }
}

/** "ens33 192.168.80.100/24, ens34 10.0.0.5/8" */
function listText(candidates: readonly Candidate[]): string {
  const texts = candidates.map(
    ({ interface: name, address, prefix }) => `${name} ${formatAddress(address)}/${prefix.length}`,
  );
  return texts.length === 0 ? 'none' : texts.join(', ');
}

/** What to tell the operator when there is no single address. */
export function detectionProblem(detection: Exclude<Detection, { kind: 'found' }>): string {
  if (detection.kind === 'none') return `Cannot detect the node's address: ${detection.reason}`;
  const [first] = detection.candidates;
  const example = first === undefined ? '' : `, for example "interface=^${first.interface}$"`;
  return `Cannot choose the node's address: ${listText(detection.candidates)} are equally good; choose with interface=, skip-interface=, cidr= or can-reach=${example}`;
}

function candidatesOf({ name, addresses, up }: NodeInterface, family: Family): Candidate[] {
  if (!up) return [];
  const usable = addresses.filter(
    (each) => each.address.family === family && each.transient !== true && isRoutable(each.address),
  );
  const primary = usable.filter(({ secondary }) => secondary !== true);
  return (primary.length > 0 ? primary : usable).map((each) => candidate(name, each));
}

function candidate(name: string, { address, prefixLength }: InterfaceAddressInfo): Candidate {
  return { interface: name, address, prefix: prefixOf(address, prefixLength) };
}

// Unspecified, loopback, link-local and multicast addresses cannot be a BGP next hop.
const NOT_ROUTABLE = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text));

function isRoutable(address: Address): boolean {
  return !NOT_ROUTABLE.some((range) => prefixContains(range, address));
}

function only(candidates: readonly Candidate[], reason: string): Detection {
  const [first, ...others] = candidates;
  if (first === undefined) return { kind: 'none', reason };
  return others.length === 0 ? { kind: 'found', ...first } : { kind: 'ambiguous', candidates };
}

function byName(
  patterns: readonly RegExp[],
  usable: readonly Candidate[],
  interfaces: readonly NodeInterface[],
  family: Family,
): Detection {
  for (const pattern of patterns) {
    const matching = usable.filter(({ interface: name }) => pattern.test(name));
    // "interface=eth1" means eth1 also where eth10 exists.
    const exact = matching.filter(({ interface: name }) => pattern.exec(name)?.[0] === name);
    if (matching.length > 0) return only(exact.length > 0 ? exact : matching, '');
  }
  const names = interfaces.map(({ name, up }) => (up ? name : `${name} (down)`)).join(', ');
  const wanted = patterns.map(({ source }) => `"${source}"`).join(', ');
  const reason = `no interface that is up, has an IPv${family} address and matches ${wanted}; found ${names}`;
  return { kind: 'none', reason };
}

function byRoute(
  destination: string,
  interfaces: readonly NodeInterface[],
  source: Address | undefined,
  family: Family,
): Detection {
  if (source === undefined || source.family !== family) {
    return { kind: 'none', reason: `no IPv${family} route to "${destination}"` };
  }
  const holders = holdersOf(source, interfaces);
  const reason = `the source address ${formatAddress(source)} towards "${destination}" is on no interface`;
  return only(holders, reason);
}

function byInternalAddress(
  address: Address | undefined,
  interfaces: readonly NodeInterface[],
  family: Family,
): Detection {
  if (address === undefined || address.family !== family) {
    return { kind: 'none', reason: `the Kubernetes node has no IPv${family} InternalIP` };
  }
  const [holder] = holdersOf(address, interfaces);
  // As upstream: the address counts even where no interface shows it, as with some clouds' NAT.
  return {
    kind: 'found',
    ...(holder ?? { interface: '', address, prefix: hostPrefix(address) }),
  };
}

function holdersOf(address: Address, interfaces: readonly NodeInterface[]): Candidate[] {
  return interfaces.flatMap(({ name, addresses }) =>
    addresses
      .filter((each) => sameAddress(each.address, address))
      .map((each) => candidate(name, each)),
  );
}

function matchesAny(patterns: readonly RegExp[], name: string): boolean {
  return patterns.some((pattern) => pattern.test(name));
}

function downHint(interfaces: readonly NodeInterface[]): string {
  const down = interfaces
    .filter(({ name, up }) => !up && !matchesAny(NOT_OF_THE_NODE, name))
    .map(({ name }) => name);
  return down.length === 0 ? '' : ` (down: ${down.join(', ')})`;
}
