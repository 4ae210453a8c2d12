// How a node finds the address that it speaks BGP from: CALICO's autodetection methods.
import { type Prefix, parsePrefix } from '@calico/ip';

export type DetectionMethod =
  /** The one address of the node that is not on an interface of containers, tunnels or loopback. */
  | { readonly kind: 'first-found' }
  /** The address of the interface whose name matches; an earlier pattern wins over a later one. */
  | { readonly kind: 'interface'; readonly patterns: readonly RegExp[] }
  /** As first-found, with more interfaces left out. */
  | { readonly kind: 'skip-interface'; readonly patterns: readonly RegExp[] }
  /** The source address that the kernel takes for packets to an address or host name. */
  | { readonly kind: 'can-reach'; readonly destination: string }
  /** The address that lies in one of these prefixes. */
  | { readonly kind: 'cidr'; readonly prefixes: readonly Prefix[] }
  /** The InternalIP of the Kubernetes node. */
  | { readonly kind: 'kubernetes-internal-ip' };

/** A method's text that cannot be understood; says what would be. */
export class DetectionMethodError extends Error {
  override readonly name = 'DetectionMethodError';
}

const ACCEPTED =
  'first-found, interface=REGEX[,REGEX], skip-interface=REGEX[,REGEX], can-reach=DESTINATION, cidr=CIDR[,CIDR] or kubernetes-internal-ip';

/** Reads, for example, "interface=ens33"; empty text means first-found. @throws DetectionMethodError */
export function parseDetectionMethod(text: string): DetectionMethod {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === 'first-found') return { kind: 'first-found' };
  if (trimmed === 'kubernetes-internal-ip') return { kind: 'kubernetes-internal-ip' };
  const [, kind = '', value = ''] = /^([a-z-]+)=(.+)$/.exec(trimmed) ?? [];
  switch (kind) {
    case 'interface':
    case 'skip-interface':
      return { kind, patterns: listOf(value).map((each) => patternOf(each, text)) };
    case 'can-reach':
      return { kind, destination: value.trim() };
    case 'cidr':
      return { kind, prefixes: listOf(value).map((each) => prefixOf(each, text)) };
    default:
      throw new DetectionMethodError(
        `Cannot use address detection method "${text}": expected ${ACCEPTED}`,
      );
  }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function patternOf(pattern: string, method: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new DetectionMethodError(
      `Cannot use address detection method "${method}": "${pattern}" is not a regular expression`,
      { cause },
    );
  }
}

function prefixOf(cidr: string, method: string): Prefix {
  try {
    return parsePrefix(cidr, { hostBits: 'clear' });
  } catch (cause) {
    throw new DetectionMethodError(
      `Cannot use address detection method "${method}": "${cidr}" is not a CIDR, for example "192.168.80.0/24"`,
      { cause },
    );
  }
}
