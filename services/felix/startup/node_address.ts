// Which address the node gets: the one given, the one stored, or the one detected.
import { type Address, type Family, formatAddress, parseAddress, sameAddress } from '@calico/ip';
import {
  type Detection,
  detectAddress,
  detectionProblem,
  type NodeInterface,
} from '../core/node_address/detect_address.ts';
import type { DetectionMethod } from '../core/node_address/detection_method.ts';
import type { AddressSource } from './settings.ts';

export type AddressQuestion = {
  readonly family: Family;
  readonly source: AddressSource;
  readonly method: DetectionMethod;
  readonly interfaces: readonly NodeInterface[];
  readonly routeSource: () => Address | undefined;
  readonly internalAddress: Address | undefined;
};

/** The node's address with the length of its network, and where it was found. */
export type NodeAddress = { readonly cidr: string; readonly interface: string };

/** There is no address, or more than one that is equally good. The message says what to set. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** Undefined: the node has no address of this family. Throws AddressError. */
export function chooseAddress(question: AddressQuestion): NodeAddress | undefined {
  const { source, family } = question;
  if (source.kind === 'none') return undefined;
  if (source.kind === 'given') return givenAddress(source.text, question.interfaces);
  const options = question.internalAddress ? { internalAddress: question.internalAddress } : {};
  const detection = detectAddress(question.method, question.interfaces, question.routeSource, {
    family,
    ...options,
  });
  if (detection.kind !== 'found') throw new AddressError(adviceOf(detection, family));
  const { address, prefix } = detection;
  return {
    cidr: `${formatAddress(address)}/${prefix.length}`,
    interface: detection.interface,
  };
}

function adviceOf(detection: Exclude<Detection, { kind: 'found' }>, family: Family): string {
  const [method, address] = variableNames(family);
  return `${detectionProblem(detection)}. Set ${method}, or ${address} to the address itself`;
}

function variableNames(family: Family): readonly [method: string, address: string] {
  return family === 4 ? ['IP_AUTODETECTION_METHOD', 'IP'] : ['IP6_AUTODETECTION_METHOD', 'IP6'];
}

// A length that was not given is that of the interface's network; an address on no interface stands alone.
function givenAddress(text: string, interfaces: readonly NodeInterface[]): NodeAddress {
  const address = parseAddress(text.split('/')[0] ?? text);
  for (const { name, addresses } of interfaces) {
    const held = addresses.find((each) => sameAddress(each.address, address));
    if (!held) continue;
    const cidr = text.includes('/') ? text : `${formatAddress(address)}/${held.prefixLength}`;
    return { cidr, interface: name };
  }
  const cidr = text.includes('/') ? text : `${text}/${address.family === 4 ? 32 : 128}`;
  return { cidr, interface: '' };
}
