// Checks a result of ADD against the CNI specification, section 5 "Result types", independently of the code
// that makes one.
import { familyOfCidr } from './names.ts';
import { type CniVersion, isAtLeast, isSupported } from './version.ts';

const MAC = /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/;

type Json = Readonly<Record<string, unknown>>;
/** Says what is wrong with a value; undefined: nothing. */
type Check = (value: unknown) => string | undefined;
type Shape = Readonly<Record<string, readonly [check: Check, presence: 'required' | 'optional']>>;

/** What is wrong with `result` as a result of `version`; empty: it conforms. */
export function validateCniResult(result: unknown, version: string): string[] {
  if (!isSupported(version)) return [`cniVersion "${version}" is not known`];
  if (!isObject(result)) return ['the result is not a JSON object'];
  const problems: string[] = [];
  if (result['cniVersion'] !== version) {
    problems.push(
      `cniVersion is ${JSON.stringify(result['cniVersion'])}, "${version}" was asked for`,
    );
  }
  const allowed = new Set(['cniVersion', 'interfaces', 'ips', 'routes', 'dns']);
  for (const key of Object.keys(result))
    if (!allowed.has(key)) problems.push(`${key} is not known`);
  const interfaces = checkList(result, 'interfaces', interfaceShape(version), problems);
  const ips = checkList(result, 'ips', ipShape(version), problems);
  checkList(result, 'routes', routeShape(version), problems);
  for (const [index, ip] of ips.entries()) {
    checkIndex(ip['interface'], interfaces.length, `ips[${index}].interface`, problems);
  }
  checkDns(result['dns'], problems);
  return problems;
}

function interfaceShape(version: CniVersion): Shape {
  return {
    name: [text, 'required'],
    mac: [matches(MAC, 'a MAC address'), 'optional'],
    sandbox: [text, 'optional'],
    ...(isAtLeast(version, '1.1.0') && {
      mtu: [natural, 'optional'],
      socketPath: [text, 'optional'],
      pciID: [text, 'optional'],
    }),
  };
}

function ipShape(version: CniVersion): Shape {
  return {
    address: [cidr, 'required'],
    gateway: [address, 'optional'],
    interface: [natural, 'optional'],
    ...(!isAtLeast(version, '1.0.0') && { version: [oneOf('4', '6'), 'required'] }),
  };
}

function routeShape(version: CniVersion): Shape {
  return {
    dst: [cidr, 'required'],
    gw: [address, 'optional'],
    ...(isAtLeast(version, '1.1.0') && {
      mtu: [natural, 'optional'],
      advmss: [natural, 'optional'],
      priority: [natural, 'optional'],
      table: [natural, 'optional'],
      scope: [natural, 'optional'],
    }),
  };
}

function checkList(result: Json, key: string, shape: Shape, problems: string[]): Json[] {
  const values = result[key] ?? [];
  if (!Array.isArray(values)) {
    problems.push(`${key} is not a list`);
    return [];
  }
  for (const [index, value] of values.entries()) {
    checkObject(value, `${key}[${index}]`, shape, problems);
  }
  return values.filter(isObject);
}

function checkObject(value: unknown, path: string, shape: Shape, problems: string[]): void {
  if (!isObject(value)) {
    problems.push(`${path} is not an object`);
    return;
  }
  for (const [key, [check, presence]] of Object.entries(shape)) {
    if (value[key] === undefined) {
      if (presence === 'required') problems.push(`${path}.${key} is missing`);
      continue;
    }
    const problem = check(value[key]);
    if (problem) problems.push(`${path}.${key} ${JSON.stringify(value[key])} is not ${problem}`);
  }
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(shape, key)) problems.push(`${path}.${key} is not known`);
  }
}

function checkIndex(index: unknown, count: number, path: string, problems: string[]): void {
  if (typeof index === 'number' && index >= count) {
    problems.push(`${path} ${index} is not one of ${count} interfaces`);
  }
}

function checkDns(dns: unknown, problems: string[]): void {
  if (dns === undefined) return;
  const shape: Shape = {
    nameservers: [texts, 'optional'],
    domain: [text, 'optional'],
    search: [texts, 'optional'],
    options: [texts, 'optional'],
  };
  checkObject(dns, 'dns', shape, problems);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? undefined : 'a text';
}

function texts(value: unknown): string | undefined {
  const isGood = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isGood ? undefined : 'a list of texts';
}

function natural(value: unknown): string | undefined {
  return Number.isInteger(value) && Number(value) >= 0 ? undefined : 'a number from 0 on';
}

function address(value: unknown): string | undefined {
  const isGood = typeof value === 'string' && !value.includes('/') && familyOfCidr(value);
  return isGood ? undefined : 'an address';
}

function cidr(value: unknown): string | undefined {
  const isGood = typeof value === 'string' && value.includes('/') && familyOfCidr(value);
  return isGood ? undefined : 'an address with a prefix length';
}

function matches(pattern: RegExp, what: string): Check {
  return (value) => (typeof value === 'string' && pattern.test(value) ? undefined : what);
}

function oneOf(...choices: readonly string[]): Check {
  return (value) => (choices.some((choice) => choice === value) ? undefined : choices.join(' or '));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
