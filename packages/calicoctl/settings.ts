// Where the services are: configuration file, then environment on top of it.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { CommandError } from './command_error.ts';
import { parseDuration } from './duration.ts';

export type Settings = {
  /** Targets: "unix:/path" or "host:port". */
  readonly apiAddress: string;
  readonly ipamAddress: string;
  readonly statusAddress: string;
  /** Directory of the sockets of this node's services. */
  readonly runDir: string;
  readonly insecure: boolean;
  /** Longest time for the answer to a call, as "10s". */
  readonly callTimeout: string;
  /** Paths of PEM files. */
  readonly tlsCa: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
};

/** Environment variable and file field of each setting, and what holds without them. */
export const SETTINGS = {
  apiAddress: { variable: 'CALICO_API_ADDRESS', fallback: '127.0.0.1:5671' },
  ipamAddress: { variable: 'CALICO_IPAM_ADDRESS', fallback: '127.0.0.1:5672' },
  statusAddress: { variable: 'CALICO_STATUS_ADDRESS', fallback: '127.0.0.1:5673' },
  runDir: { variable: 'CALICO_RUN_DIR', fallback: '/var/run/calico' },
  insecure: { variable: 'CALICO_INSECURE', fallback: 'false' },
  tlsCa: { variable: 'CALICO_TLS_CA', fallback: undefined },
  tlsCert: { variable: 'CALICO_TLS_CERT', fallback: undefined },
  tlsKey: { variable: 'CALICO_TLS_KEY', fallback: undefined },
  callTimeout: { variable: 'CALICO_CALL_TIMEOUT', fallback: '10s' },
} as const satisfies Record<keyof Settings, { variable: string; fallback: string | undefined }>;

export const DEFAULT_FILE = '/etc/calico/calicoctl.cfg';

type Name = keyof Settings;
type Texts = Partial<Record<Name, string>>;

/**
 * @param file path given by the user; without one the default file is read if there is one
 * @throws CommandError
 */
export async function loadSettings(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Settings> {
  const fromFile = await readSettingsFile(file);
  const text = (name: Name) => {
    const fromEnvironment = environment[SETTINGS[name].variable];
    if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
    return fromFile[name] ?? SETTINGS[name].fallback;
  };
  return {
    apiAddress: text('apiAddress') ?? '',
    ipamAddress: text('ipamAddress') ?? '',
    statusAddress: text('statusAddress') ?? '',
    runDir: text('runDir') ?? '',
    insecure: booleanOf(text('insecure') ?? ''),
    tlsCa: text('tlsCa'),
    tlsCert: text('tlsCert'),
    tlsKey: text('tlsKey'),
    callTimeout: checkedDuration(text('callTimeout') ?? ''),
  };
}

async function readSettingsFile(file: string | undefined): Promise<Texts> {
  const path = file ?? DEFAULT_FILE;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (file === undefined) return {};
    throw new CommandError(`Cannot read configuration file "${path}": ${reason(cause)}`, { cause });
  }
  try {
    return parseSettings(parse(text), path);
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw new CommandError(`Cannot read configuration file "${path}": ${reason(cause)}`, { cause });
  }
}

/** Fields that upstream's file has and that mean nothing here. */
const FOREIGN = /^(datastoreType|etcd.*|kubeconfig|k8s.*|alphaFeatures)$/;

function parseSettings(document: unknown, path: string): Texts {
  const spec = isFields(document) && isFields(document['spec']) ? document['spec'] : document;
  if (spec === null || spec === undefined) return {};
  if (!isFields(spec)) {
    throw new CommandError(`Cannot read configuration file "${path}": expected fields in it`);
  }
  const known = Object.keys(SETTINGS);
  const envelope = ['apiVersion', 'kind', 'metadata'];
  for (const field of Object.keys(spec)) {
    if (known.includes(field) || envelope.includes(field) || FOREIGN.test(field)) continue;
    throw new CommandError(
      `Cannot read configuration file "${path}": unknown field "${field}", expected ${known.join(', ')}`,
    );
  }
  return Object.fromEntries(
    known
      .filter((name) => spec[name] !== undefined && spec[name] !== null)
      .map((name) => [name, String(spec[name])]),
  );
}

/** Whether to do without TLS is never guessed. */
function booleanOf(text: string): boolean {
  if (/^(true|1|yes)$/i.test(text)) return true;
  if (/^(false|0|no)$/i.test(text)) return false;
  throw new CommandError(
    `Cannot use ${SETTINGS.insecure.variable} (insecure) "${text}": expected true or false`,
  );
}

function checkedDuration(text: string): string {
  try {
    parseDuration(text);
    return text;
  } catch (cause) {
    throw new CommandError(
      `Cannot use ${SETTINGS.callTimeout.variable} (callTimeout) "${text}": expected a duration of at most "24h", for example "30s"`,
      { cause },
    );
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
