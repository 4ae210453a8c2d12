// Questions to one node and their answers: plain request and reply, nothing is kept.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { NodeAnswerSchema } from '@calico/proto/events/v1/events';
import { BusUnavailable, MessageError } from './errors.ts';
import type { RequestPort } from './ports.ts';
import { escapeToken, unescapeToken } from './subject_token.ts';

/** A node's refusal to answer: the code is the name of a gRPC status. */
export class NodeRefused extends Error {
  override readonly name = 'NodeRefused';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Answers a question with the bytes of its response. What it throws becomes a refusal. */
export type Answerer = (question: string, request: Uint8Array) => Promise<Uint8Array>;

/** NATS refuses messages above 1 MiB unless it is told otherwise. */
const MOST_BYTES = 1_000_000;

function subjectOf(node: string, question: string): string {
  return `calico.ask.${escapeToken(node)}.${question}`;
}

/** Throws NodeRefused, and BusUnavailable when the node does not answer. */
export async function askNode(
  port: RequestPort,
  node: string,
  question: string,
  request: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const subject = subjectOf(node, question);
  const answer = await port.request(subject, request, timeoutMs);
  const { result } = read(subject, answer);
  if (result.case === 'response') return result.value;
  if (result.case === 'refusal') throw new NodeRefused(result.value.code, result.value.message);
  throw new BusUnavailable(`Cannot read the answer of node "${node}": it is empty`);
}

function read(subject: string, answer: Uint8Array) {
  try {
    return fromBinary(NodeAnswerSchema, answer);
  } catch (cause) {
    throw new MessageError(`Cannot read the answer on "${subject}": not a NodeAnswer`, { cause });
  }
}

/** Answers questions to this node as long as NATS is there; the result ends that. */
export function answerNode(port: RequestPort, node: string, answerer: Answerer): () => void {
  return port.serve(subjectOf(node, '*'), async (subject, request) => {
    const question = unescapeToken(subject.split('.').at(-1) ?? '');
    return toBinary(
      NodeAnswerSchema,
      create(NodeAnswerSchema, { result: await answerOf(answerer, question, request) }),
    );
  });
}

type Result =
  | { readonly case: 'response'; readonly value: Uint8Array }
  | {
      readonly case: 'refusal';
      readonly value: { readonly code: string; readonly message: string };
    };

async function answerOf(
  answerer: Answerer,
  question: string,
  request: Uint8Array,
): Promise<Result> {
  try {
    const value = await answerer(question, request);
    if (value.length <= MOST_BYTES) return { case: 'response', value };
    const message = `Cannot answer "${question}": ${value.length} bytes are more than fit into a message`;
    return { case: 'refusal', value: { code: 'RESOURCE_EXHAUSTED', message } };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'INTERNAL';
    const message = cause instanceof Error ? cause.message : String(cause);
    return { case: 'refusal', value: { code, message } };
  }
}
