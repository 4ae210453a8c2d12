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
  readonly node?: string;
  readonly component?: string;
  readonly part?: number;
  parts?: number;
  readonly time?: Timestamp;
};

/** Throws SubjectError when the node is no name, or the component or part is missing. */
export function encodeNodeReport<T extends NodeTopic>(
  node: string,
  topic: T,
  report: NodeReportInit<T>,
  now: number,
): { readonly subject: string; readonly data: Uint8Array } {
  const { $typeName: _, ...init } = report as AnyInit;
  const schema: DescMessage = SCHEMAS[topic];
  const detail = detailOf(topic, init);
  const message = create(schema, { ...init, node, time: init.time ?? timestampFromMs(now) });
  return { subject: nodeSubject(node, topic, detail), data: toBinary(schema, message) };
}

/** Throws MessageError when the bytes are not the report that the subject names. */
export function decodeNodeReport(
  subject: string,
  data: Uint8Array,
  receivedAt: number,
): NodeReport {
  const { node, topic, detail } = readSubject(subject);
  const schema: DescMessage = SCHEMAS[topic];
  let message: AnyInit;
  try {
    message = fromBinary(schema, data);
  } catch (cause) {
    throw new MessageError(`Cannot read "${subject}": not the expected protobuf message`, {
      cause,
    });
  }
  if (message.node !== node || detailOf(topic, message) !== detail) {
    throw new MessageError(`Cannot read "${subject}": it is of node "${message.node}"`);
  }
  if (topic === 'endpoints') checkDivision(subject, message);
  const { component } = message;
  return { topic, node, component, message, receivedAt } as unknown as NodeReport;
}

/** An earlier felix, which does not divide, says 0 parts. */
function checkDivision(subject: string, message: AnyInit): void {
  const { part = 0 } = message;
  const parts = message.parts || 1;
  if (part >= parts) {
    throw new MessageError(`Cannot read "${subject}": part is ${part}, expected 0 to ${parts - 1}`);
  }
  message.parts = parts;
}

/** The value of the field that is in the subject too. */
function detailOf(topic: NodeTopic, values: AnyInit): string | undefined {
  const field = TOPICS[topic];
  const value = field === undefined ? undefined : values[field];
  return value === undefined ? undefined : String(value);
}

function readSubject(subject: string): ReturnType<typeof parseNodeSubject> {
  try {
    return parseNodeSubject(subject);
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw new MessageError(cause.message, { cause });
  }
}
