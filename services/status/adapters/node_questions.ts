// PolicyService of any node, over the bus.
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Bus, BusUnavailable, MessageError, NodeRefused } from '@calico/bus';

export type NodeProblem = { readonly node: string; readonly reason: string };

export type Answers<T> = { readonly answers: T[]; readonly problems: NodeProblem[] };

type Method = DescMethodUnary;

/** Asks all these nodes at once; what one cannot say does not keep the others' answers back. */
export async function askNodes<M extends Method>(
  bus: Pick<Bus, 'ask'>,
  nodes: readonly string[],
  method: M,
  request: MessageInitShape<M['input']>,
  timeoutMs: number,
): Promise<Answers<MessageShape<M['output']>>> {
  const bytes = toBinary(method.input, create(method.input, request));
  const settled = await Promise.all(
    nodes.map(async (node) => {
      try {
        const answer = await bus.ask(node, method.name, bytes, timeoutMs);
        return { answer: fromBinary(method.output, answer) as MessageShape<M['output']> };
      } catch (cause) {
        return { problem: { node, reason: reasonOf(cause) } };
      }
    }),
  );
  return {
    answers: settled.flatMap(({ answer }) => answer ?? []),
    problems: settled.flatMap(({ problem }) => problem ?? []),
  };
}

function reasonOf(cause: unknown): string {
  if (cause instanceof NodeRefused || cause instanceof MessageError) return cause.message;
  if (cause instanceof BusUnavailable) return `felix does not answer: ${cause.message}`;
  throw cause;
}
