// What ADD prints: CNI specification, section 5 "Result types", in the shape of each version.
import { CniError, ErrorCode } from './cni_error.ts';
import type { Attachment } from './environment.ts';
import type { ResponseOf } from './felix_contract.ts';
import { type CniVersion, isAtLeast } from './version.ts';

/** RT_SCOPE_LINK. */
const LINK_SCOPE = 253;

type Interface = {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly sandbox?: string;
};
type Ip = {
  readonly version?: '4' | '6';
  readonly address: string;
  readonly interface?: number;
};
type Route = { readonly dst: string; readonly gw?: string; readonly scope?: number };

export type Result = {
  readonly cniVersion: CniVersion;
  readonly interfaces: readonly Interface[];
  readonly ips: readonly Ip[];
  readonly routes: readonly Route[];
  readonly dns: Readonly<Record<string, unknown>>;
};

/** Felix's answer as a result; after that of an earlier plugin of the chain, when there is one. */
export function buildResult(
  version: CniVersion,
  attachment: Attachment,
  added: ResponseOf<'AddWorkload'>,
  prevResult: unknown,
): Result {
  const before = readPrevResult(prevResult);
  const hasMtu = isAtLeast(version, '1.1.0') && added.mtu > 0;
  const mtu = hasMtu ? { mtu: added.mtu } : {};
  const interfaces: Interface[] = [
    { name: added.hostInterface, mac: added.hostMac, ...mtu },
    {
      name: attachment.interfaceName,
      mac: added.containerMac,
      ...mtu,
      sandbox: attachment.netns,
    },
  ];
  const containerIndex = before.interfaces.length + 1;
  const ips = added.addresses.map(
    (address): Ip => ({
      ...(isAtLeast(version, '1.0.0') ? {} : { version: address.includes(':') ? '6' : '4' }),
      interface: containerIndex,
      address,
    }),
  );
  const routes = added.routes.map(({ destination = '', gateway = '' }): Route => {
    if (gateway !== '') return { dst: destination, gw: gateway };
    return { dst: destination, ...(isAtLeast(version, '1.1.0') && { scope: LINK_SCOPE }) };
  });
  return {
    cniVersion: version,
    interfaces: [...before.interfaces, ...interfaces],
    ips: [...before.ips, ...ips],
    routes: [...before.routes, ...routes],
    dns: before.dns,
  };
}

/** What CHECK compares: the addresses of the interface and the name of its host end. */
export type Expected = { readonly addresses: readonly string[]; readonly hostInterface: string };

/** Throws CniError when prevResult has no address for the interface. */
export function expectedOf(prevResult: unknown, attachment: Attachment): Expected {
  const { interfaces, ips } = readPrevResult(prevResult);
  const isOurs = ({ interface: index }: Ip): boolean =>
    index === undefined || interfaces[index]?.name === attachment.interfaceName;
  const addresses = ips.filter(isOurs).map(({ address }) => address);
  if (addresses.length === 0) {
    throw new CniError(
      ErrorCode.InvalidConfig,
      `Cannot use prevResult: it has no address for interface "${attachment.interfaceName}"`,
    );
  }
  const onHost = interfaces.filter(({ sandbox }) => sandbox === undefined || sandbox === '');
  const host = onHost.find(({ name }) => name.startsWith('cali')) ?? onHost[0];
  return { addresses, hostInterface: host?.name ?? '' };
}

type Lists = Pick<Result, 'interfaces' | 'ips' | 'routes' | 'dns'>;

// Another plugin's result is passed on as it is; of its parts only the names and addresses are looked at.
function readPrevResult(prevResult: unknown): Lists {
  const result = isObject(prevResult) ? prevResult : {};
  const dns = result['dns'];
  return {
    interfaces: list(result, 'interfaces', 'name') as Interface[],
    ips: list(result, 'ips', 'address') as Ip[],
    routes: list(result, 'routes', 'dst') as Route[],
    dns: isObject(dns) ? dns : {},
  };
}

function list(result: Readonly<Record<string, unknown>>, key: string, text: string): object[] {
  const values = result[key] ?? [];
  const isGood = (value: unknown): value is object =>
    isObject(value) && typeof value[text] === 'string';
  if (Array.isArray(values) && values.every(isGood)) return values;
  throw new CniError(
    ErrorCode.InvalidConfig,
    `Cannot use prevResult.${key}: a list of objects with a text "${text}" is accepted`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
