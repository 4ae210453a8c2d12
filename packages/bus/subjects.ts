// The only place that builds or reads subjects.
//
//   calico.resource.<plural>.<namespace or _>.<name>
//   calico.resource.workloadendpoints.<node>.<namespace>.<name>
//   calico.relay.synced
//   calico.node.<node>.<topic>[.<component>]
import { KINDS, type Kind, type ResourceKey } from '@calico/model';
import { SubjectError } from './errors.ts';
import { escapeToken, NO_NAMESPACE, unescapeToken } from './subject_token.ts';

export const SYNCED_SUBJECT = 'calico.relay.synced';

export type NodeTopic = 'applied' | 'peers' | 'endpoints' | 'health';

/** Whether the topic has one subject per component of the node. */
export const TOPICS: Readonly<Record<NodeTopic, { readonly perComponent: boolean }>> = {
  applied: { perComponent: true },
  peers: { perComponent: false },
  endpoints: { perComponent: false },
  health: { perComponent: true },
};

const kindOfPlural = new Map<string, Kind>(
  Object.values(KINDS).map(({ kind, plural }) => [plural, kind]),
);

/** `node` is that of a WorkloadEndpoint, which no other kind has. Throws SubjectError. */
export function resourceSubject(key: ResourceKey, node?: string): string {
  const tokens = ['calico', 'resource', KINDS[key.kind].plural];
  if (key.kind === 'WorkloadEndpoint') {
    if (node === undefined) {
      throw new SubjectError(
        `Cannot make a subject of WorkloadEndpoint "${key.name}": its node is not known`,
      );
    }
    tokens.push(escapeToken(node));
  }
  tokens.push(key.namespace === '' ? NO_NAMESPACE : escapeToken(key.namespace));
  tokens.push(escapeToken(key.name));
  return tokens.join('.');
}

export type ResourceSubject = { readonly key: ResourceKey; readonly node: string | undefined };

/** Throws SubjectError for a subject that resourceSubject() does not make. */
export function parseResourceSubject(subject: string): ResourceSubject {
  const [calico, resource, plural = '', ...rest] = subject.split('.');
  const kind = kindOfPlural.get(plural);
  if (calico !== 'calico' || resource !== 'resource' || kind === undefined) throw unknown(subject);
  const node = kind === 'WorkloadEndpoint' ? rest.shift() : undefined;
  const [namespace, name, ...more] = rest;
  if (namespace === undefined || name === undefined || more.length > 0) throw unknown(subject);
  return {
    key: {
      kind,
      namespace: namespace === NO_NAMESPACE ? '' : unescapeToken(namespace),
      name: unescapeToken(name),
    },
    node: node === undefined ? undefined : unescapeToken(node),
  };
}

/** `component` is needed exactly for topics that are per component. Throws SubjectError. */
export function nodeSubject(node: string, topic: NodeTopic, component?: string): string {
  const tokens = ['calico', 'node', escapeToken(node), topic];
  if (TOPICS[topic].perComponent) {
    if (component === undefined) {
      throw new SubjectError(`Cannot report "${topic}" of node "${node}": no component is named`);
    }
    tokens.push(escapeToken(component));
  }
  return tokens.join('.');
}

export type NodeSubject = {
  readonly node: string;
  readonly topic: NodeTopic;
  readonly component: string | undefined;
};

/** Throws SubjectError for a subject that nodeSubject() does not make. */
export function parseNodeSubject(subject: string): NodeSubject {
  const [calico, area, node, topic = '', component, ...more] = subject.split('.');
  if (calico !== 'calico' || area !== 'node' || node === undefined || more.length > 0) {
    throw unknown(subject);
  }
  if (!isTopic(topic) || TOPICS[topic].perComponent !== (component !== undefined)) {
    throw unknown(subject);
  }
  return {
    node: unescapeToken(node),
    topic,
    component: component === undefined ? undefined : unescapeToken(component),
  };
}

function isTopic(text: string): text is NodeTopic {
  return Object.hasOwn(TOPICS, text);
}

function unknown(subject: string): SubjectError {
  return new SubjectError(`Cannot read subject ${JSON.stringify(subject)}: not one of calico's`);
}
