// CNI_ARGS: "KEY=value;KEY=value", in the form that Kubernetes runtimes give it.
import { invalid } from './environment.ts';
import { isDnsLabel, isDnsSubdomain } from './names.ts';

export type CniArgs = {
  /** Kubernetes namespace; empty when not given. */
  readonly namespace: string;
  /** Pod name; empty when not given: the container id then names the workload. */
  readonly pod: string;
  /** IP=…: explicit addresses. */
  readonly addresses: readonly string[];
};

const KNOWN = new Set([
  'IgnoreUnknown',
  'K8S_POD_NAMESPACE',
  'K8S_POD_NAME',
  'K8S_POD_INFRA_CONTAINER_ID',
  'K8S_POD_UID',
  'IP',
]);
const TRUE = new Set(['1', 'true', 'True', 'TRUE', 't', 'T']);

/** Throws CniError: invalid environment. */
export function readCniArgs(text: string | undefined): CniArgs {
  const values = split(text ?? '');
  const ignoresUnknown = TRUE.has(values.get('IgnoreUnknown') ?? '');
  const unknown = [...values.keys()].filter((key) => !KNOWN.has(key));
  if (unknown.length > 0 && !ignoresUnknown) {
    const known = [...KNOWN].join(', ');
    throw invalid(
      'CNI_ARGS',
      text,
      `unknown key ${unknown.join(', ')}; accepted are ${known}, and any key after IgnoreUnknown=1`,
    );
  }
  const namespace = values.get('K8S_POD_NAMESPACE') ?? '';
  if (namespace !== '' && !isDnsLabel(namespace)) {
    const what = 'a DNS label of at most 63 lower-case letters, digits and "-" is accepted';
    throw invalid('K8S_POD_NAMESPACE of CNI_ARGS', namespace, what);
  }
  const pod = values.get('K8S_POD_NAME') ?? '';
  if (pod !== '' && !isDnsSubdomain(pod)) {
    const what = 'a DNS name of at most 253 lower-case letters, digits, "-" and "." is accepted';
    throw invalid('K8S_POD_NAME of CNI_ARGS', pod, what);
  }
  return { namespace, pod, addresses: (values.get('IP') ?? '').split(',').filter(Boolean) };
}

function split(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at <= 0) throw invalid('CNI_ARGS', text, 'KEY=value pairs separated by ";" are accepted');
    values.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return values;
}
