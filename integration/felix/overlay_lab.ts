// What the tests of both VXLANs need: pods on several nodes that ought to reach each other.
import { eventually } from '../lab/mod.ts';
import type { FelixFixture, PodSpec } from './fixture.ts';

export type Connected = {
  readonly pod: PodSpec;
  /** Without lengths. */
  readonly addresses: readonly string[];
};

/** Adds a pod on a node; `request` over what a pod usually asks for. */
export async function connect(
  lab: FelixFixture,
  node: number,
  request: { readonly assignIpv6?: boolean } = {},
): Promise<Connected> {
  const pod = await lab.pod(`pod${node}`);
  const { addresses } = await lab.felixOn(node).addWorkload({ ...pod, ...request });
  return { pod, addresses: addresses.map((address) => address.split('/')[0] ?? '') };
}

export async function nodeSpec(lab: FelixFixture, index: number): Promise<Record<string, unknown>> {
  const name = lab.topology.nodes[index]?.name ?? '';
  const { resource } = await lab.api.get({ key: { kind: 'Node', namespace: '', name } });
  return (JSON.parse(resource?.json ?? '{}') as { spec: Record<string, unknown> }).spec;
}

export async function becomes(what: string, condition: () => Promise<boolean>): Promise<void> {
  await eventually(condition, 15_000, () => `not in time: ${what}`);
}

/** Every pod pings every pod, itself too, at all its addresses. */
export async function reachEachOther(
  lab: FelixFixture,
  pods: readonly Connected[],
): Promise<boolean> {
  const targets = pods.flatMap(({ addresses }) => addresses);
  const answers = await Promise.all(
    pods.flatMap(({ pod }) => targets.map((address) => lab.pings(pod, address))),
  );
  return answers.every(Boolean);
}
