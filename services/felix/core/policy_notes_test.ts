import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyResource, type Kind, parseResource } from '@calico/model';
import type { Replacement } from './policy/graph/versioned_set.ts';
import { PolicyNotes } from './policy_notes.ts';

function resource(kind: Kind, name: string, spec: object): AnyResource {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

class View {
  readonly inSync = true;
  readonly revision = 1n;
  readonly #all = new Map<string, AnyResource>();
  readonly #changes: Replacement<AnyResource>[] = [];
  listed = 0;

  put(after: AnyResource): void {
    const key = `${after.kind} ${after.metadata.name}`;
    this.#changes.push({ before: this.#all.get(key), after });
    this.#all.set(key, after);
  }

  get position(): number {
    return this.#changes.length;
  }

  changesSince(position: number) {
    return this.#changes.slice(position);
  }

  endpointsOf() {
    return [];
  }

  list<K extends Kind>(kind: K) {
    if (kind === 'GlobalNetworkPolicy') this.listed++;
    type Listed = Extract<AnyResource, { readonly kind: K }>;
    return [...this.#all.values()].filter((one): one is Listed => one.kind === kind);
  }
}

test('list() follows policies and tiers, and looks at all policies only when a tier has changed', () => {
  const view = new View();
  const notes = new PolicyNotes(view);
  const nowhere = 'GlobalNetworkPolicy a is not enforced: tier "late" does not exist';
  view.put(resource('GlobalNetworkPolicy', 'a', { tier: 'late' }));
  assert.deepEqual(notes.list(), [nowhere]);
  view.put(
    resource('GlobalNetworkPolicy', 'b', {
      ingress: [{ action: 'Allow', protocol: 'TCP', http: { methods: ['GET'] } }],
    }),
  );
  const http = 'GlobalNetworkPolicy b ingress rule 1 matches nothing: http is not supported';
  assert.deepEqual(notes.list(), [nowhere, http]);
  view.put(resource('GlobalNetworkPolicy', 'b', {}));
  assert.deepEqual(notes.list(), [nowhere]);
  assert.equal(view.listed, 1);
  view.put(resource('Tier', 'late', { order: 1 }));
  view.put(resource('StagedGlobalNetworkPolicy', 'c', {}));
  assert.deepEqual(notes.list(), ['pending: 1 staged policies, not enforced']);
  assert.equal(view.listed, 2);
});
