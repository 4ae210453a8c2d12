import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource, Kind, WorkloadEndpoint } from '@calico/model';
import * as fc from 'fast-check';
import type { ClusterView, PolicyInputs } from '../ports.ts';
import { endpointsOf } from './followed_view.ts';
import { inputChanges, isInputChanged } from './policy/graph/input_versions.ts';
import type { Replacement } from './policy/graph/versioned_set.ts';
import { PolicyInputSource } from './policy_input_source.ts';
import { policyInputs } from './policy_inputs.ts';

/** A view that can be followed, as the feed's. */
class FollowedView implements ClusterView {
  readonly inSync = true;
  readonly revision = 1n;
  readonly #all = new Map<string, AnyResource>();
  readonly #changes: Replacement<AnyResource>[] = [];
  forgotten = 0;

  put(kind: Kind, name: string, node: string | undefined): void {
    const before = this.#all.get(`${kind} ${name}`);
    const after = node && ({ kind, metadata: { name }, spec: { node } } as unknown as AnyResource);
    if (after) this.#all.set(`${kind} ${name}`, after);
    else this.#all.delete(`${kind} ${name}`);
    this.#changes.push({ before, after: after || undefined });
  }

  get position(): number {
    return this.#changes.length;
  }

  changesSince(position: number): readonly Replacement<AnyResource>[] | undefined {
    return position < this.forgotten ? undefined : this.#changes.slice(position);
  }

  endpointsOf(node: string): readonly WorkloadEndpoint[] {
    return this.list('WorkloadEndpoint').filter(({ spec }) => spec.node === node);
  }

  list<K extends Kind>(kind: K) {
    type Listed = Extract<AnyResource, { readonly kind: K }>;
    return [...this.#all.values()].filter((one): one is Listed => one.kind === kind);
  }
}

const event = fc.record({
  kind: fc.constantFrom<Kind>('WorkloadEndpoint', 'WorkloadEndpoint', 'NetworkPolicy'),
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  node: fc.constantFrom('here', 'there', 'there', undefined),
});

test('inputs() has what policyInputs() has, and lists that know what changed', () => {
  const rounds = fc.array(fc.tuple(fc.array(event, { maxLength: 4 }), fc.boolean()), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(rounds, (some) => {
      const view = new FollowedView();
      const source = new PolicyInputSource('here', view, () => []);
      let before: PolicyInputs | undefined;
      for (const [events, forgets] of some) {
        for (const { kind, name, node } of events) view.put(kind, name, node);
        if (forgets) view.forgotten = view.position;
        const local = endpointsOf('here', view);
        const expected = policyInputs('here', view, local, () => []);
        const inputs = source.inputs(local);
        const changes = inputChanges(before, inputs, 'workloadEndpoints');
        assert.deepEqual(inputs.localEndpoints, local);
        assert.deepEqual(new Set(inputs.workloadEndpoints), new Set(expected.workloadEndpoints));
        assert.deepEqual(new Set(inputs.networkPolicies), new Set(expected.networkPolicies));
        const [was, is] = [new Set(before?.workloadEndpoints), new Set(inputs.workloadEndpoints)];
        assert.deepEqual(new Set(changes.removed), was.difference(is));
        assert.deepEqual(new Set(changes.added), is.difference(was));
        if (before !== undefined && events.length === 0) {
          assert.equal(isInputChanged(before, inputs, 'networkPolicies'), false);
        }
        before = inputs;
      }
    }),
    { numRuns: 300, endOnFailure: true },
  );
});
