// What a node's kernel must have, and what some pools need of it. Pure.

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
  { module: 'nft_ct', option: 'CONFIG_NFT_CT' },
  { module: 'nft_nat', option: 'CONFIG_NFT_NAT', only: 'floating and NAT addresses' },
  { module: 'nft_masq', option: 'CONFIG_NFT_MASQ', only: 'pools with natOutgoing' },
  { module: 'nft_log', option: 'CONFIG_NFT_LOG', only: 'rules with action Log' },
  { module: 'vxlan', option: 'CONFIG_VXLAN', only: 'pools with vxlanMode' },
  { module: 'ipip', option: 'CONFIG_NET_IPIP', only: 'pools with ipipMode' },
];

/** Sets of intervals over several fields. */
const OLDEST = [5, 6] as const;

export type Finding = {
  readonly subject: string;
  /** 'unknown': nothing tells of it; felix finds out. */
  readonly verdict: 'ok' | 'limited' | 'missing' | 'unknown';
  readonly text: string;
};

export function checkSystem(facts: SystemFacts): Finding[] {
  return [checkRelease(facts.release), checkUser(facts.isRoot), ...REQUIREMENTS.map(check)];

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
