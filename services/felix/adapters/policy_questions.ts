// PolicyService for the status service, which reaches nodes over the bus only.
import { create, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import type { Bus } from '@calico/bus';
import { PolicyService } from '@calico/proto/felix/v1/policy';
import { RpcError, type ServiceHandlers } from '@calico/rpc';

/** As long as a question over the bus may take. */
const MOST_MS = 15_000;

type Handler = (
  request: Message,
  context: { readonly peer: string; readonly signal: AbortSignal },
) => Promise<Record<string, unknown>>;

/** Answers questions named after the methods of PolicyService; the result ends that. */
export function answerPolicyQuestions(
  bus: Bus,
  node: string,
  handlers: ServiceHandlers<typeof PolicyService>,
): () => void {
  return bus.answer(node, async (question, request) => {
    const method = PolicyService.methods.find(({ name }) => name === question);
    if (method === undefined) {
      const known = PolicyService.methods.map(({ name }) => name).join(', ');
      const message = `Cannot answer "${question}": expected one of ${known}`;
      throw new RpcError('UNIMPLEMENTED', message);
    }
    const handler = handlers[method.localName as keyof typeof handlers] as unknown as Handler;
    const input = fromBinary(method.input, request);
    const signal = AbortSignal.timeout(MOST_MS);
    const response = await handler(input, { peer: 'bus', signal });
    const output = method.output;
    return toBinary(output, create(output, response));
  });
}
