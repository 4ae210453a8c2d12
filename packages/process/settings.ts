// Environment variables as typed, documented settings; every mistake is reported at once.
import { z } from 'zod';

export type Setting<S extends z.ZodType = z.ZodType> = {
  /** Name of the environment variable. Unset and empty are the same. */
  readonly env: string;
  /** Parses the variable's text; give it a default unless the variable is required. */
  readonly schema: S;
  /** One line for --help. */
  readonly help: string;
};

export type Settings = Readonly<Record<string, Setting>>;

export type Config<S extends Settings> = { readonly [K in keyof S]: z.output<S[K]['schema']> };

export type Environment = Readonly<Record<string, string | undefined>>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`Cannot start: ${problems.length} wrong setting(s)\n  ${problems.join('\n  ')}`);
    this.problems = problems;
  }
}

export function setting<S extends z.ZodType>(env: string, schema: S, help: string): Setting<S> {
  return { env, schema, help };
}

/** Reads all settings; throws ConfigError that lists every wrong one. */
export function readSettings<S extends Settings>(settings: S, environment: Environment): Config<S> {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, { env, schema }] of Object.entries(settings)) {
    const text = environment[env];
    const parsed = schema.safeParse(text === '' ? undefined : text);
    if (parsed.success) {
      config[name] = parsed.data;
    } else if (text === undefined || text === '') {
      problems.push(`${env}: required, not set`);
    } else {
      for (const { message } of parsed.error.issues) problems.push(`${env}="${text}": ${message}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config as Config<S>;
}

/** One line per setting: name, default or "required", help. */
export function describeSettings(settings: Settings): string {
  const rows = Object.values(settings).map(({ env, schema, help }) => {
    const standard = schema.safeParse(undefined);
    return { env, help, preset: standard.success ? formatDefault(standard.data) : 'required' };
  });
  const width = Math.max(...rows.map(({ env }) => env.length));
  return rows
    .map(({ env, help, preset }) => `  ${env.padEnd(width)}  ${help} (${preset})\n`)
    .join('');
}

function formatDefault(value: unknown): string {
  if (typeof value === 'string') return `default: ${value}`;
  if (value === undefined) return 'default: none';
  return `default: ${Array.isArray(value) ? value.join(',') : JSON.stringify(value)}`;
}

/** `true`, `1`, `yes` or `false`, `0`, `no`. */
export const flag = z
  .enum(['true', '1', 'yes', 'false', '0', 'no'], {
    error: 'expected "true", "1", "yes", "false", "0" or "no"',
  })
  .transform((text) => text === 'true' || text === '1' || text === 'yes');

/** A comma-separated list without empty entries. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);
