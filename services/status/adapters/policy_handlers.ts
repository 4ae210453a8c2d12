// ClusterPolicyService: finds out which nodes are concerned, asks them, and puts their answers together.

import type { Bus } from '@calico/bus';
import type { Clock } from '@calico/clock';
import { formatAddress } from '@calico/ip';
import { PolicyService } from '@calico/proto/felix/v1/policy';
import {
  type ClusterPolicyService,
  ConnectionEndKind,
  type WhyRequest,
} from '@calico/proto/status/v1/policy';
import { RpcError, type ServiceHandlers } from '@calico/rpc';
import {
  type Cluster,
  type ConnectionEnd,
  commonAddresses,
  findEnd,
} from '../core/connection_end.ts';
import { type Answers, askNodes } from './node_questions.ts';

const ANSWER_MS = 5_000;
const WATCH_MS = 2_500;
/** As long as a node may need to begin to watch. */
const READY_MS = 750;
const NO_TRACE = { answers: [], problems: [] };
/** A node looks at its pairs for up to five seconds. */
const PREVIEW_MS = 12_000;
/** Stands for the port that a client would be given. */
const SOME_PORT = 40_000;
const [ICMP, ICMP_V6] = [1, 58];
const ECHO_REQUEST: Readonly<Record<number, number>> = { [ICMP]: 8, [ICMP_V6]: 128 };
const WITH_PORTS = [6, 17, 132];

type FlowInit = ReturnType<typeof flowBetween>;

const KINDS = {
  pod: ConnectionEndKind.POD,
  node: ConnectionEndKind.NODE,
  outside: ConnectionEndKind.OUTSIDE,
} as const;

export type PolicyParts = {
  readonly bus: Pick<Bus, 'ask'>;
  readonly clock: Clock;
  readonly cluster: Cluster;
  /** Names of all nodes. */
  readonly nodes: () => readonly string[];
};

export function createPolicyHandlers({
  bus,
  clock,
  cluster,
  nodes,
}: PolicyParts): ServiceHandlers<typeof ClusterPolicyService> {
  /** The node that sends comes in when the others are watching. */
  const traceOf = async (from: ConnectionEnd, concerned: readonly string[], flow: FlowInit) => {
    if (from.kind !== 'pod') {
      throw invalid(`--trace sends from a pod, and "${from.name}" is none`);
    }
    const { trace } = PolicyService.method;
    const watchers = concerned.filter((node) => node !== from.node);
    const watching = { flow, milliseconds: WATCH_MS };
    const watched = askNodes(bus, watchers, trace, watching, ANSWER_MS);
    if (watchers.length > 0) await clock.sleep(READY_MS);
    const sending = { flow, send: true, milliseconds: WATCH_MS - 2 * READY_MS };
    const sent = await askNodes(bus, [from.node], trace, sending, ANSWER_MS);
    const { answers, problems } = await watched;
    return {
      answers: [...sent.answers, ...answers],
      problems: [...sent.problems, ...problems],
    };
  };
  return {
    why: async (request) => {
      const [from, to] = [endOf(cluster, 'from', request.from), endOf(cluster, 'to', request.to)];
      const concerned = [...new Set([from.node, to.node])].filter((node) => node !== '');
      if (concerned.length === 0) {
        throw invalid(`"${request.from}" and "${request.to}" are both outside of the cluster`);
      }
      const flow = flowBetween(from, to, request);
      const asked = await askNodes(
        bus,
        concerned,
        PolicyService.method.explain,
        { flow },
        ANSWER_MS,
      );
      const traced = request.trace ? await traceOf(from, concerned, flow) : NO_TRACE;
      return {
        from: endMessage(from, flow.source),
        to: endMessage(to, flow.destination),
        flow,
        allowed: asked.answers.length > 0 && asked.answers.every(({ allowed }) => allowed),
        nodes: asked.answers,
        problems: [...asked.problems, ...traced.problems],
        traces: traced.answers,
      };
    },

    listPolicyStats: async ({ node }) => {
      const chosen = node === '' ? nodes() : [known(nodes(), node)];
      const { getStats } = PolicyService.method;
      return message(await askNodes(bus, chosen, getStats, {}, ANSWER_MS));
    },

    previewChange: async ({ put, removed }) => {
      const request = { put, removed };
      const { preview } = PolicyService.method;
      return message(await askNodes(bus, nodes(), preview, request, PREVIEW_MS));
    },
  };
}

function message<T>({ answers, problems }: Answers<T>) {
  return { nodes: answers, problems: [...problems] };
}

function endOf(cluster: Cluster, field: string, text: string): ConnectionEnd {
  const end = findEnd(cluster, text);
  if (end !== undefined) return end;
  throw new RpcError(
    'NOT_FOUND',
    `Cannot find ${field} "${text}": expected a pod as namespace/pod, the name of a node, or an address`,
  );
}

function flowBetween(from: ConnectionEnd, to: ConnectionEnd, request: WhyRequest) {
  const { ipVersion, protocol, icmpCode } = request;
  if (![0, 4, 6].includes(ipVersion)) throw invalid(`ip_version ${ipVersion} is not 4 or 6`);
  const family = ipVersion === 0 ? undefined : (ipVersion as 4 | 6);
  const addresses = commonAddresses(from, to, family);
  if (addresses === undefined) {
    const version = ipVersion === 0 ? 'of one IP version' : `of IPv${ipVersion}`;
    throw invalid(`"${from.name}" and "${to.name}" have no addresses ${version}`);
  }
  const [source, destination] = addresses;
  // "icmp" is said for either version.
  const isIcmp = protocol === ICMP || protocol === ICMP_V6;
  const actual = isIcmp ? (source.family === 4 ? ICMP : ICMP_V6) : protocol;
  const hasPorts = WITH_PORTS.includes(protocol);
  return {
    source: formatAddress(source),
    destination: formatAddress(destination),
    protocol: actual,
    sourcePort: hasPorts ? request.sourcePort || SOME_PORT : 0,
    destinationPort: hasPorts ? request.destinationPort : 0,
    icmpType: isIcmp ? (request.icmpType ?? ECHO_REQUEST[actual] ?? 0) : 0,
    icmpCode: isIcmp ? icmpCode : 0,
  };
}

function endMessage({ name, node, kind }: ConnectionEnd, address: string) {
  return { name, node, address, kind: KINDS[kind] };
}

function known(nodes: readonly string[], node: string): string {
  if (nodes.includes(node)) return node;
  const names = nodes.join(', ') || 'none';
  throw new RpcError('NOT_FOUND', `Cannot find node "${node}": the cluster has ${names}`);
}

function invalid(what: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', `Cannot say why: ${what}`);
}
