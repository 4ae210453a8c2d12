// What the api service does with a merge patch (RFC 7396) of a Node's spec; for fake_world.ts.
import type { Node } from '@calico/model';
import type { NodePatch } from '../ports.ts';

export function patchedNode(node: Node, { bgp, ...fields }: NodePatch): Node {
  const spec = { ...node.spec, ...fields, bgp: merged({ ...node.spec.bgp, ...bgp }) };
  return { ...node, spec: merged(spec) };
}

function merged(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
