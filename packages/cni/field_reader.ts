// Reads fields of untrusted JSON; what is wrong is collected, so that all of it is told at once.
import { CniError, ErrorCode } from './cni_error.ts';

type Expectation = {
  /** What would be accepted; ends the sentence of the problem. */
  readonly accepted: string;
  readonly required?: boolean;
};

export class FieldReader {
  readonly value: Readonly<Record<string, unknown>>;
  /** Whether the object was there. */
  readonly isPresent: boolean;
  readonly #path: string;
  readonly #problems: string[];

  constructor(value: unknown, path: string, problems: string[]) {
    this.isPresent = isObject(value);
    this.value = isObject(value) ? value : {};
    this.#path = path;
    this.#problems = problems;
  }

  problem(field: string, state: string): void {
    this.#problems.push(`Cannot use ${this.#path}${field}: ${state}`);
  }

  /** Throws CniError: invalid configuration, with the first problem in the message and all in the details. */
  throwProblems(name: string): void {
    const [first, ...others] = this.#problems;
    if (first === undefined) return;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    const network = name === '' ? '' : ` of network "${name}"`;
    throw new CniError(
      ErrorCode.InvalidConfig,
      `${first}${more}`,
      `The network configuration${network} is not valid. ${this.#problems.join('. ')}`,
    );
  }

  /** A field that holds an object; absent counts as empty. */
  object(field: string): FieldReader {
    const value = this.#own(field);
    if (value !== undefined && !isObject(value)) this.#wrong(field, value, 'an object is accepted');
    return new FieldReader(value, `${this.#path}${field}.`, this.#problems);
  }

  /** A field that holds a list of objects; absent counts as empty. */
  objects(field: string): FieldReader[] {
    return this.#list(field, 'a list of objects is accepted').flatMap((value, index) => {
      if (isObject(value)) {
        return [new FieldReader(value, `${this.#path}${field}[${index}].`, this.#problems)];
      }
      this.#wrong(`${field}[${index}]`, value, 'an object is accepted');
      return [];
    });
  }

  /** Absent: `absent`, or '' (a problem when required). */
  text(
    field: string,
    isGood: (text: string) => boolean,
    expectation: Expectation & { readonly absent?: string },
  ): string {
    const value = this.#own(field);
    if (value === undefined) return this.#absent(field, expectation, expectation.absent ?? '');
    if (typeof value === 'string' && isGood(value)) return value;
    this.#wrong(field, value, `${expectation.accepted} is accepted`);
    return '';
  }

  texts(field: string, isGood: (text: string) => boolean, accepted: string): string[] {
    return this.#list(field, `a list of ${accepted} is accepted`).flatMap((value, index) => {
      if (typeof value === 'string' && isGood(value)) return [value];
      this.#wrong(`${field}[${index}]`, value, `${accepted} are accepted`);
      return [];
    });
  }

  /** Absent: 0 (a problem when required). */
  integer(field: string, isGood: (value: number) => boolean, expectation: Expectation): number {
    const value = this.#own(field);
    if (value === undefined) return this.#absent(field, expectation, 0);
    if (typeof value === 'number' && Number.isInteger(value) && isGood(value)) return value;
    this.#wrong(field, value, `${expectation.accepted} is accepted`);
    return 0;
  }

  /** true, false, and the strings "true" and "false" that Calico's configurations carry. */
  flag(field: string, absent: boolean): boolean {
    const value = this.#own(field);
    if (value === undefined) return absent;
    if (value === true || value === 'true') return true;
    if (value !== false && value !== 'false') {
      this.#wrong(field, value, 'true or false is accepted');
    }
    return false;
  }

  /** Compared without regard to case. */
  choice<T extends string>(field: string, choices: readonly T[], absent: T): T {
    const value = this.#own(field);
    if (value === undefined) return absent;
    const found = choices.find(
      (choice) => typeof value === 'string' && choice.toLowerCase() === value.toLowerCase(),
    );
    if (found === undefined) {
      this.#wrong(field, value, `one of ${choices.join(', ')} is accepted`);
    }
    return found ?? absent;
  }

  #own(field: string): unknown {
    const value = Object.hasOwn(this.value, field) ? this.value[field] : undefined;
    return value === null ? undefined : value;
  }

  #list(field: string, accepted: string): unknown[] {
    const value = this.#own(field);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.#wrong(field, value, accepted);
    return [];
  }

  #absent<T>(field: string, { required, accepted }: Expectation, value: T): T {
    if (required) this.problem(field, `it is missing; ${accepted} is accepted`);
    return value;
  }

  #wrong(field: string, value: unknown, state: string): void {
    const text = JSON.stringify(value) ?? String(value);
    this.problem(`${field} ${text.length > 80 ? `${text.slice(0, 80)}…` : text}`, state);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
