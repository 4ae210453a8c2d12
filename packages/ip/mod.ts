// IPv4 and IPv6 addresses and prefixes. Pure; both families have the same shape.
export {
  type Address,
  addressBits,
  addressBytes,
  addressFromBytes,
  compareAddresses,
  FAMILIES,
  type Family,
  formatAddress,
  isLinkLocal,
  parseAddress,
  sameAddress,
} from './address.ts';
export { aggregate } from './aggregate.ts';
export { IpError } from './ip_error.ts';
export {
  addressAt,
  comparePrefixes,
  firstAddress,
  formatPrefix,
  hostPrefix,
  lastAddress,
  ordinalOf,
  type Prefix,
  type PrefixOptions,
  parseInterfaceAddress,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  samePrefix,
  subnets,
} from './prefix.ts';
