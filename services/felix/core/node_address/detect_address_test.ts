import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Address,
  formatAddress,
  formatPrefix,
  parseAddress,
  parseInterfaceAddress,
} from '@calico/ip';
import {
  type DetectionOptions,
  detectAddress,
  detectionProblem,
  type InterfaceAddressInfo,
  type NodeInterface,
} from './detect_address.ts';
import { parseDetectionMethod } from './detection_method.ts';

function info(text: string, flags: Partial<InterfaceAddressInfo> = {}): InterfaceAddressInfo {
  const { address, prefix } = parseInterfaceAddress(text);
  return { address, prefixLength: prefix.length, ...flags };
}

function link(name: string, ...addresses: (string | InterfaceAddressInfo)[]): NodeInterface {
  const all = addresses.map((each) => (typeof each === 'string' ? info(each) : each));
  return { name, addresses: all, up: true };
}

const LO = link('lo', '127.0.0.1/8', '::1/128');
const ENS33 = link('ens33', '192.168.80.100/24', 'fd00::100/64', 'fe80::1/64');
const ENS34 = link('ens34', '10.0.0.5/8');
const CONTAINERS = [
  link('docker0', '172.17.0.1/16'),
  link('cali918b33f2bbe', '10.1.0.1/32'),
  link('tunl0', '10.244.58.192/32'),
  link('vxlan.calico', '10.244.58.193/32'),
  link('cni0', '10.22.0.1/16'),
  link('virbr0', '192.168.122.1/24'),
];

/** One line: the address with its network, or the candidates, or the reason. */
function detect(
  method: string,
  interfaces: readonly NodeInterface[],
  source?: Address,
  options: DetectionOptions = {},
): string {
  const found = detectAddress(parseDetectionMethod(method), interfaces, () => source, options);
  if (found.kind === 'none') return found.reason;
  if (found.kind === 'ambiguous') {
    return `ambiguous: ${found.candidates.map((each) => each.interface).join(' ')}`;
  }
  return `${found.interface} ${formatAddress(found.address)} in ${formatPrefix(found.prefix)}`;
}

const ON_ENS33 = 'ens33 192.168.80.100 in 192.168.80.0/24';

test('first-found takes the only interface of the node itself', () => {
  assert.equal(detect('first-found', [LO, ...CONTAINERS, ENS33]), ON_ENS33);
  assert.equal(
    detect('first-found', [LO, ENS33], undefined, { family: 6 }),
    'ens33 fd00::100 in fd00::/64',
  );
});

test('first-found refuses to choose between two interfaces', () => {
  assert.equal(detect('first-found', [LO, ENS33, ENS34]), 'ambiguous: ens33 ens34');
});

test('first-found refuses to choose between two networks of one interface', () => {
  const both = link('ens33', '192.168.80.100/24', '10.0.0.5/8');
  assert.equal(detect('first-found', [both]), 'ambiguous: ens33 ens33');
});

test('first-found prefers the primary address of a network', () => {
  const ens33 = link('ens33', info('192.168.80.7/24', { secondary: true }), '192.168.80.100/24');
  assert.equal(detect('first-found', [ens33]), ON_ENS33);
});

test('first-found passes over links that are down and addresses that are passing', () => {
  assert.equal(detect('first-found', [ENS33, { ...ENS34, up: false }]), ON_ENS33);
  assert.equal(
    detect('first-found', [{ ...ENS34, up: false }]),
    'no interface that is up has an IPv4 address (down: ens34)',
  );
  const ens33 = link('ens33', 'fd00::1/64', info('fd00::2/64', { transient: true }));
  assert.equal(
    detect('first-found', [ens33], undefined, { family: 6 }),
    'ens33 fd00::1 in fd00::/64',
  );
  assert.match(detect('first-found', [link('ens33', '169.254.7.7/16')]), /^no interface/);
});

test('interface= matches names, earlier patterns first, whole names before parts', () => {
  assert.equal(detect('interface=ens33', [ENS33, ENS34]), ON_ENS33);
  assert.equal(detect('interface=eth0,ens33', [ENS33, ENS34]), ON_ENS33);
  assert.equal(detect('interface=ens.*', [ENS33, ENS34]), 'ambiguous: ens33 ens34');
  assert.equal(detect('interface=ens33', [link('ens330', '10.9.0.1/8'), ENS33]), ON_ENS33);
  assert.equal(detect('interface=docker0', CONTAINERS), 'docker0 172.17.0.1 in 172.17.0.0/16');
  assert.equal(
    detect('interface=eth0', [ENS33, { ...ENS34, up: false }]),
    'no interface that is up, has an IPv4 address and matches "eth0"; found ens33, ens34 (down)',
  );
});

test('skip-interface= leaves out more', () => {
  assert.equal(detect('skip-interface=ens34', [LO, ENS33, ENS34, ...CONTAINERS]), ON_ENS33);
  assert.match(detect('skip-interface=ens.*', [ENS33, ENS34]), /not skipped/);
});

test('cidr= takes the address that lies inside', () => {
  assert.equal(detect('cidr=192.168.0.0/16', [ENS34, ENS33, ...CONTAINERS]), ON_ENS33);
  assert.equal(detect('cidr=10.0.0.0/8,192.168.0.0/16', [ENS34, ENS33]), 'ambiguous: ens34 ens33');
  assert.match(detect('cidr=203.0.113.0/24', [ENS33]), /found ens33 192\.168\.80\.100\/24$/);
});

test("can-reach= takes the kernel's source address", () => {
  const source = parseAddress('192.168.80.100');
  assert.equal(detect('can-reach=192.0.2.1', [ENS34, ENS33], source), ON_ENS33);
  assert.equal(detect('can-reach=192.0.2.1', [ENS33]), 'no IPv4 route to "192.0.2.1"');
  assert.match(detect('can-reach=192.0.2.1', [ENS34], source), /is on no interface$/);
});

test('kubernetes-internal-ip takes the given address with the network of its interface', () => {
  const internalAddress = parseAddress('192.168.80.100');
  const method = 'kubernetes-internal-ip';
  assert.equal(detect(method, [ENS34, ENS33], undefined, { internalAddress }), ON_ENS33);
  assert.equal(
    detect(method, [ENS34], undefined, { internalAddress }),
    ' 192.168.80.100 in 192.168.80.100/32',
  );
  assert.match(detect(method, [ENS33]), /no IPv4 InternalIP/);
});

test('detectionProblem() lists the candidates and says how to choose', () => {
  const detection = detectAddress({ kind: 'first-found' }, [ENS33, ENS34], () => undefined);
  assert.ok(detection.kind === 'ambiguous');
  assert.equal(
    detectionProblem(detection),
    'Cannot choose the node\'s address: ens33 192.168.80.100/24, ens34 10.0.0.5/8 are equally good; choose with interface=, skip-interface=, cidr= or can-reach=, for example "interface=^ens33$"',
  );
});
