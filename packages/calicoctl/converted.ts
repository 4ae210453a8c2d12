// Kubernetes' own documents, taken as if they had been written for Calico.
import {
  convertDocument,
  isConvertible,
  problemText,
  reasonToPassOver,
  ValidationError,
} from '@calico/model';
import { CommandError } from './command_error.ts';
import { placeText, type SourceDocument } from './documents.ts';

/** The document itself, or what it becomes. @throws CommandError when it has no counterpart */
export function converted(source: SourceDocument, namespace: string | undefined): SourceDocument {
  if (!isConvertible(source.value)) return source;
  try {
    const resource = convertDocument(source.value, namespace);
    return { ...source, value: resource };
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    const problems = cause.problems.map(problemText).join('; ');
    const place = placeText(source);
    throw new CommandError(`Cannot convert ${place}: ${cause.object}: ${problems}`, { cause });
  }
}

/** A line that says why a document is passed over; undefined: it is not. */
export function passedOver(source: SourceDocument): string | undefined {
  const reason = reasonToPassOver(source.value);
  if (reason === undefined) return undefined;
  const { kind, metadata } = source.value as { kind: string; metadata?: Metadata };
  const name = [metadata?.namespace, metadata?.name].filter(Boolean).join('/');
  return `Warning: ${placeText(source)}: ${kind} "${name}" is passed over: ${reason}\n`;
}

type Metadata = { readonly namespace?: string; readonly name?: string };
