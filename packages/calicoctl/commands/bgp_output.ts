// Forms in which `bgp` commands answer.
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { CommandError } from '../command_error.ts';

/** @throws CommandError */
export function checkOutput(format: string, known: readonly string[]): void {
  if (known.includes(format)) return;
  throw new CommandError(`Cannot print as "${format}": expected ${known.join(' or ')}`);
}

/** Makes a message plain: times are text in it, and fields are named as in the contract (JSON of protobuf). */
export async function plainWith<D extends DescMessage>(
  schema: D,
): Promise<(message: MessageShape<D>) => unknown> {
  const { toJson } = await import('@bufbuild/protobuf');
  return (message) => toJson(schema, message, { alwaysEmitImplicit: true });
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
