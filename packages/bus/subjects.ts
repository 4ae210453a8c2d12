// The only place that builds or reads subjects.
//
//   calico.resource.<plural>.<namespace or _>.<name>
//   calico.resource.workloadendpoints.<node>.<namespace>.<name>
//   calico.relay.synced
//   calico.node.<node>.<topic>[.<component or part>]
import { KINDS, type Kind, type ResourceKey } from '@calico/model';
import { SubjectError } from './errors.ts';
import { escapeToken, NO_NAMESPACE, unescapeToken } from './subject_token.ts';

export const SYNCED_SUBJECT = 'calico.relay.synced';

export type NodeTopic = 'applied' | 'peers' | 'endpoints' | 'health';

/** The field that tells a node's reports on one topic apart, each of which has a subject of its own. */
export const TOPICS = {
  applied: 'component',
  peers: undefined,
  endpoints: 'part',
  health: 'component',
} as const satisfies Record<NodeTopic, string | undefined>;

/** An earlier felix reports all endpoints on `calico.node.<node>.endpoints`, without a part. */
const WHOLE = '0';

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

/** `detail` is the value of the topic's field, if it has one. Throws SubjectError. */
export function nodeSubject(node: string, topic: NodeTopic, detail?: string): string {
  const tokens = ['calico', 'node', escapeToken(node), topic];
  const field = TOPICS[topic];
  if (field !== undefined) {
    if (detail === undefined) {
      throw new SubjectError(`Cannot report "${topic}" of node "${node}": no ${field} is named`);
    }
    tokens.push(escapeToken(detail));
  }
  return tokens.join('.');
}

export type NodeSubject = {
  readonly node: string;
  readonly topic: NodeTopic;
  /** The value of the topic's field. */
  readonly detail: string | undefined;
};

/** Throws SubjectError for a subject that nodeSubject() does not make, nor did. */
export function parseNodeSubject(subject: string): NodeSubject {
  const [calico, area, node, topic = '', ...details] = subject.split('.');
  const [detail = topic === 'endpoints' ? WHOLE : undefined, ...more] = details;
  if (calico !== 'calico' || area !== 'node' || node === undefined || more.length > 0) {
    throw unknown(subject);
  }
  if (!isTopic(topic) || (TOPICS[topic] === undefined) !== (detail === undefined)) {
    throw unknown(subject);
  }
  return {
    node: unescapeToken(node),
    topic,
    detail: detail === undefined ? undefined : unescapeToken(detail),
  };
}

function isTopic(text: string): text is NodeTopic {
  return Object.hasOwn(TOPICS, text);
}

function unknown(subject: string): SubjectError {
  return new SubjectError(`Cannot read subject ${JSON.stringify(subject)}: not one of calico's`);
}
