// Kubernetes' own policies, namespaces and service accounts, taken as if they had been written for Calico.
import { convertDocument, isConvertible, problemText, ValidationError } from '@calico/model';
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
    const place = placeText(source.file, source.number);
    throw new CommandError(`Cannot convert ${place}: ${cause.object}: ${problems}`, { cause });
  }
}
