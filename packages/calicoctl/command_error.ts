/** A command that cannot do what was asked: what failed, and what to do next. Exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** One sentence, or undefined when the message says it all. */
  readonly advice: string | undefined;

  constructor(message: string, options: ErrorOptions & { readonly advice?: string } = {}) {
    super(message, options);
    this.advice = options.advice;
  }
}
