// What a node's kernel must have, and what some pools need of it. Pure.
import type { FilterFeature } from '@calico/nftables';

/** What is known about the kernel. */
export type SystemFacts = {
  /** As `uname -r` says it. */
  readonly release: string;
  readonly isRoot: boolean;
  /** Text of the kernel's configuration ("CONFIG_VETH=m"); undefined when it is not to be had. */
  readonly configuration: string | undefined;
  /** Names of modules that are loaded, and of those that are built in or can be loaded. */
  readonly loaded: ReadonlySet<string>;
  readonly available: ReadonlySet<string>;
  /** Features of the packet filter that the kernel has refused, with its reasons; or why it was not asked. */
  readonly filter: ReadonlyMap<FilterFeature, string> | string;
};

type Requirement = {
  readonly module: string;
  readonly option: string;
  /** What does not work without it; absent: nothing does. */
  readonly only?: string;
};

const REQUIREMENTS: readonly Requirement[] = [
  { module: 'veth', option: 'CONFIG_VETH' },
  { module: 'nf_tables', option: 'CONFIG_NF_TABLES' },
  { module: 'nf_conntrack', option: 'CONFIG_NF_CONNTRACK' },
  { module: 'vxlan', option: 'CONFIG_VXLAN', only: 'pools with vxlanMode' },
  { module: 'ipip', option: 'CONFIG_NET_IPIP', only: 'pools with ipipMode' },
];

/** What does not work without a feature of the packet filter; without any other one nothing does. */
const ONLY: Readonly<Partial<Record<FilterFeature, string>>> = {
  'nat chains': 'pools with natOutgoing',
  masquerade: 'pools with natOutgoing',
  snat: 'natOutgoingAddress',
  'snat of IPv6': 'natOutgoingAddress of IPv6',
  log: 'rules with action Log',
  'log for programs': 'deniedLog',
  notrack: 'policies with doNotTrack',
  reject: 'nftablesFilterDenyAction Reject',
};

/** Sets of intervals over several fields. */
const OLDEST = [5, 6] as const;

export type Finding = {
  readonly subject: string;
  /** 'unknown': nothing tells of it; felix finds out. */
  readonly verdict: 'ok' | 'limited' | 'missing' | 'unknown';
  readonly text: string;
};

export function checkSystem(facts: SystemFacts): Finding[] {
  return [
    checkRelease(facts.release),
    checkUser(facts.isRoot),
    ...REQUIREMENTS.map(check),
    ...checkFilter(facts.filter),
  ];

  function check({ module, option, only }: Requirement): Finding {
    const presence = presenceOf(facts, module, option);
    if (presence === 'missing') {
      const what = only === undefined ? '' : `: no ${only}`;
      const text = `missing${what}; try "modprobe ${module}", or a kernel with ${option}`;
      return { subject: module, verdict: only === undefined ? 'missing' : 'limited', text };
    }
    if (presence === 'unknown') return { subject: module, verdict: 'unknown', text: 'not known' };
    return { subject: module, verdict: 'ok', text: presence };
  }
}

function checkFilter(filter: SystemFacts['filter']): Finding[] {
  const subject = 'packet filter';
  if (typeof filter === 'string')
    return [{ subject, verdict: 'unknown', text: `not known: ${filter}` }];
  if (filter.size === 0) return [{ subject, verdict: 'ok', text: 'OK, each feature was tried' }];
  return [...filter].map(([feature, reason]) => {
    const only = ONLY[feature];
    return {
      subject,
      verdict: only === undefined ? 'missing' : 'limited',
      text: `${feature} refused by the kernel (${reason})${only === undefined ? '' : `: no ${only}`}`,
    };
  });
}

function checkRelease(release: string): Finding {
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const isNew = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return isNew
    ? { subject: `kernel ${release}`, verdict: 'ok', text: 'OK' }
    : {
        subject: `kernel ${release}`,
        verdict: 'missing',
        text: `too old, expected ${OLDEST.join('.')} or newer`,
      };
}

function checkUser(isRoot: boolean): Finding {
  return isRoot
    ? { subject: 'user', verdict: 'ok', text: 'root' }
    : { subject: 'user', verdict: 'limited', text: 'not root: some of this cannot be seen' };
}

function presenceOf(
  { configuration, loaded, available }: SystemFacts,
  module: string,
  option: string,
): string {
  if (loaded.has(module)) return 'OK';
  if (available.has(module)) return 'OK, is loaded when needed';
  if (configuration === undefined) return available.size === 0 ? 'unknown' : 'missing';
  const [, value] = new RegExp(`^${option}=([ym])$`, 'm').exec(configuration) ?? [];
  // Without a file of it a module cannot be loaded, whatever the kernel was configured for.
  return value === 'y' ? 'OK' : 'missing';
}

export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  const lines = findings.map(({ subject, text }) => `  ${subject.padEnd(width)}  ${text}\n`);
  return `Checking the system of this node...\n${lines.join('')}`;
}

/** The last line where nothing is missing that no node can do without. */
export function formatConclusion(findings: readonly Finding[]): string {
  const unknown = findings.filter(({ verdict }) => verdict === 'unknown');
  const isLimited = findings.some(({ verdict }) => verdict === 'limited');
  const some = isLimited ? ' Some features are missing.' : '';
  if (unknown.length === 0) {
    return `System meets minimum system requirements to run Calico!${some}\n`;
  }
  const names = unknown.map(({ subject }) => subject).join(', ');
  return `Nothing is known to be missing, but this could not be seen: ${names}.${some}\n`;
}
