// What nodes say of themselves on CALICO_NODES, between bytes and values.
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  NodeAppliedSchema,
  NodeEndpointsSchema,
  NodeHealthSchema,
  NodePeersSchema,
} from '@calico/proto/events/v1/events';
import { MessageError, SubjectError } from './errors.ts';
import { type NodeTopic, nodeSubject, parseNodeSubject, TOPICS } from './subjects.ts';

const SCHEMAS = {
  applied: NodeAppliedSchema,
  peers: NodePeersSchema,
  endpoints: NodeEndpointsSchema,
  health: NodeHealthSchema,
} as const satisfies Record<NodeTopic, DescMessage>;

type Schemas = typeof SCHEMAS;

/** What a node reports; `node` is filled in, `time` too when it is left out. */
export type NodeReportInit<T extends NodeTopic> = Omit<MessageInitShape<Schemas[T]>, 'node'>;

/** One report, as received. */
export type NodeReport = {
  [T in NodeTopic]: {
    readonly topic: T;
    readonly node: string;
    /** 'felix' or 'bgp' for topics that are per component. */
    readonly component: string | undefined;
    readonly message: MessageShape<Schemas[T]>;
    /** When the server received it last, milliseconds since the Unix epoch. */
    readonly receivedAt: number;
  };
}[NodeTopic];

type AnyInit = Record<string, unknown> & {
  readonly component?: string;
  readonly time?: Timestamp;
};

/** Throws SubjectError when the node or component is no name. */
export function encodeNodeReport<T extends NodeTopic>(
  node: string,
  topic: T,
  report: NodeReportInit<T>,
  now: number,
): { readonly subject: string; readonly data: Uint8Array } {
  const { $typeName: _, ...init } = report as AnyInit;
  const schema: DescMessage = SCHEMAS[topic];
  const component = TOPICS[topic].perComponent ? init.component : undefined;
  const message = create(schema, { ...init, node, time: init.time ?? timestampFromMs(now) });
  return { subject: nodeSubject(node, topic, component), data: toBinary(schema, message) };
}

/** Throws MessageError when the bytes are not the report that the subject names. */
export function decodeNodeReport(
  subject: string,
  data: Uint8Array,
  receivedAt: number,
): NodeReport {
  const { node, topic, component } = readSubject(subject);
  const schema: DescMessage = SCHEMAS[topic];
  let message: { readonly node: string; readonly component?: string };
  try {
    message = fromBinary(schema, data) as unknown as typeof message;
  } catch (cause) {
    throw new MessageError(`Cannot read "${subject}": not the expected protobuf message`, {
      cause,
    });
  }
  if (message.node !== node || (component !== undefined && message.component !== component)) {
    throw new MessageError(`Cannot read "${subject}": it is of node "${message.node}"`);
  }
  return { topic, node, component, message, receivedAt } as unknown as NodeReport;
}

function readSubject(subject: string): ReturnType<typeof parseNodeSubject> {
  try {
    return parseNodeSubject(subject);
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw new MessageError(cause.message, { cause });
  }
}
