// What the machine's kernel must be able to do, found out by trying in a throw-away namespace.
import { randomBytes } from 'node:crypto';
import { release } from 'node:os';
import { deleteNamespaces, exec, inNamespace, type Mode } from '../lab/mod.ts';

type Requirement = {
  readonly needs: string;
  readonly probe: readonly string[];
  readonly remedy: string;
};

const ALWAYS: readonly Requirement[] = [
  {
    needs: 'virtual Ethernet pairs (veth)',
    probe: ['ip', 'link', 'add', 'name', 'v0', 'type', 'veth', 'peer', 'name', 'v1'],
    remedy: 'modprobe veth',
  },
  {
    needs: 'bridges',
    probe: ['ip', 'link', 'add', 'name', 'b0', 'type', 'bridge'],
    remedy: 'modprobe bridge',
  },
  {
    needs: 'nftables with the inet family',
    probe: ['nft', 'add', 'table', 'inet', 'probe'],
    remedy: 'modprobe nf_tables',
  },
];

const VXLAN: Requirement = {
  needs: 'VXLAN devices',
  probe: ['ip', 'link', 'add', 'name', 'vx0', 'type', 'vxlan', 'id', '1', 'dstport', '4789'],
  remedy: 'modprobe vxlan, or another mode: npm run demo -- --mode bgp',
};

const IPIP: Requirement = {
  needs: 'IP-in-IP tunnels (ipip)',
  probe: [
    'ip',
    'link',
    'add',
    'name',
    'tun',
    'type',
    'ipip',
    'local',
    '127.0.0.2',
    'remote',
    '127.0.0.1',
  ],
  remedy: `modprobe ipip; where the kernel was built without it, run it in a virtual machine with another kernel:
    npm run demo -- --mode ipip --vm`,
};

/** What is missing for the mode, one text each; empty when everything is there. */
export async function missingFeatures(mode: Mode): Promise<string[]> {
  const namespace = `calprobe${randomBytes(3).toString('hex')}`;
  const { code, stderr } = await exec(['ip', 'netns', 'add', namespace]);
  if (code !== 0) {
    return [
      `network namespaces: ${stderr.trim()}\n  To get it: run as root, outside of a restricted container`,
    ];
  }
  try {
    const requirements = [
      ...ALWAYS,
      ...(mode === 'vxlan' || mode === 'crosssubnet' ? [VXLAN] : []),
      ...(mode === 'ipip' ? [IPIP] : []),
    ];
    const missing: string[] = [];
    for (const { needs, probe, remedy } of requirements) {
      const outcome = await exec(inNamespace(namespace, probe));
      if (outcome.code !== 0) {
        const said = outcome.stderr.trim().split('\n').at(-1) ?? '';
        missing.push(`${needs}: Linux ${release()} says "${said}"\n  To get it: ${remedy}`);
      }
    }
    return missing;
  } finally {
    await deleteNamespaces([namespace]);
  }
}
