// Validation of what all kinds share: apiVersion, kind and metadata.
import * as z from 'zod';
import { isDnsLabel, isLabelKey, isLabelValue, isSubdomain, textThat } from './kinds/scalars.ts';
import type { SchemaStyle } from './schema_style.ts';

const name = textThat((text) =>
  isSubdomain(text)
    ? undefined
    : 'expected at most 253 lower-case letters, digits, "-" and ".", starting and ending with a letter or digit',
);
const namespace = textThat((text) =>
  isDnsLabel(text)
    ? undefined
    : 'expected at most 63 lower-case letters, digits and "-", starting and ending with a letter or digit',
);

const MOST_ANNOTATION_BYTES = 262_144;

const labels = z.record(z.string(), z.string()).superRefine((map, context) => {
  for (const [key, value] of Object.entries(map)) {
    const path = [key];
    if (!isLabelKey(key)) {
      const message =
        'expected a label name: "[prefix/]name" with at most 63 characters in the name';
      context.addIssue({ code: 'custom', path, input: key, message });
    }
    if (!isLabelValue(value)) {
      const message = 'expected at most 63 letters, digits, "-", "_" and "." in a label\'s value';
      context.addIssue({ code: 'custom', path, input: value, message });
    }
  }
});

const annotations = z.record(z.string(), z.string()).superRefine((map, context) => {
  const bytes = new TextEncoder().encode(Object.entries(map).flat().join('')).length;
  if (bytes <= MOST_ANNOTATION_BYTES) return;
  const message = `expected at most ${MOST_ANNOTATION_BYTES} bytes together, found ${bytes}`;
  context.addIssue({ code: 'custom', input: undefined, message });
});

export function metadataSchema(style: SchemaStyle) {
  return style.object({
    name,
    namespace: namespace.optional(),
    resourceVersion: z.string().optional(),
    uid: z.string().optional(),
    creationTimestamp: z.string().optional(),
    labels: labels.optional(),
    annotations: annotations.optional(),
    // Written by Kubernetes tools; without a meaning here.
    generation: z.number().optional(),
    generateName: z.string().optional(),
    managedFields: z.array(z.unknown()).optional(),
    finalizers: z.array(z.string()).optional(),
    ownerReferences: z.array(z.unknown()).optional(),
    deletionTimestamp: z.string().optional(),
    deletionGracePeriodSeconds: z.number().optional(),
    selfLink: z.string().optional(),
  });
}
