/** One thing that is wrong with a resource. */
export type Problem = {
  /** Path of the field: "spec.ingress[0].action". */
  readonly field: string;
  /** What was found there; undefined when nothing was. */
  readonly value: unknown;
  /** What would be accepted, or what is wrong. */
  readonly message: string;
};

/** A document that is no valid resource. Holds every problem, not only the first. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';
  /** Kind and name: 'IPPool "default"'. */
  readonly object: string;
  readonly problems: readonly Problem[];

  constructor(object: string, problems: readonly Problem[]) {
    super(summary(object, problems.map(problemText)));
    this.object = object;
    this.problems = problems;
  }
}

/** "spec.blockSize 33: expected 20 to 32" */
export function problemText({ field, value, message }: Problem): string {
  return value === undefined ? `${field}: ${message}` : `${field} ${valueText(value)}: ${message}`;
}

function summary(object: string, texts: readonly string[]): string {
  const [only] = texts;
  if (only !== undefined && texts.length === 1) return `Cannot accept ${object}: ${only}`;
  const lines = texts.map((text) => `  ${text}`).join('\n');
  return `Cannot accept ${object}: ${texts.length} problems\n${lines}`;
}

const LONGEST_VALUE = 80;

function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
}
