import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAsPath, formatCommunity, formatLargeCommunity } from '@calico/bgp-wire';
import { type BGPFilter, parseStored } from '@calico/model';
import { type PathFields, path, sequence } from '../../testing/paths.ts';
import { bgpFilter } from '../../testing/resources.ts';
import { applyChanges, findRule } from '../policy/route_filter.ts';
import { FilterLibrary } from './derive_filters.ts';

type RuleFields = Readonly<Record<string, unknown>>;

function compile(rules: readonly RuleFields[], list = 'exportV4') {
  const filter = bgpFilter('f', { [list]: rules }) as BGPFilter;
  const { import: imports, export: exports } = new FilterLibrary([filter]).combine(['f'], () => {});
  return list.startsWith('import') ? imports : exports;
}

type Place = { readonly isInternal?: boolean; readonly interfaceName?: string };

function matches(rule: RuleFields, fields: PathFields, place: Place = {}): boolean {
  const family = fields.prefix?.includes(':') ? 6 : 4;
  const rules = compile([{ action: 'Accept', ...rule }], `exportV${family}`)[family];
  const { prefix, data, source } = path(fields);
  const subject = {
    prefix,
    data,
    isFromPeer: source.kind === 'peer',
    isInternal: place.isInternal ?? true,
    interfaceName: () => place.interfaceName,
  };
  return findRule(rules, subject) !== undefined;
}

test('every operator on prefixes, with and without bounds', () => {
  const cases: [string, RuleFields, string, boolean][] = [];
  const say = (operator: string, route: string, expected: boolean, prefixLength?: RuleFields) =>
    cases.push([
      operator,
      { cidr: '10.244.0.0/16', matchOperator: operator, ...(prefixLength ? { prefixLength } : {}) },
      route,
      expected,
    ]);
  say('Equal', '10.244.0.0/16', true);
  say('Equal', '10.244.0.0/17', false);
  say('NotEqual', '10.244.0.0/16', false);
  say('NotEqual', '10.244.0.0/17', true);
  say('In', '10.244.0.0/16', true);
  say('In', '10.244.9.0/26', true);
  say('In', '10.245.0.0/26', false);
  say('In', '10.0.0.0/8', false);
  say('NotIn', '10.245.0.0/26', true);
  say('NotIn', '10.244.9.0/26', false);
  say('In', '10.244.9.0/26', true, { min: 24, max: 26 });
  say('In', '10.244.9.0/27', false, { min: 24, max: 26 });
  say('In', '10.244.9.0/27', true, { min: 24 });
  say('In', '10.244.0.0/20', false, { min: 24 });
  say('In', '10.244.0.0/17', true, { max: 20 });
  say('In', '10.0.0.0/8', true, { min: 8, max: 20 });
  say('NotIn', '10.244.9.0/27', true, { max: 26 });
  for (const [name, rule, route, expected] of cases) {
    assert.equal(
      matches(rule, { prefix: route }),
      expected,
      `${name} ${JSON.stringify(rule)} ${route}`,
    );
  }
  const six = { cidr: 'fd00::/16', matchOperator: 'In' };
  assert.ok(matches(six, { prefix: 'fd00:1::/122', via: 'fd00::1' }));
  assert.ok(!matches(six, { prefix: 'fd01:1::/122', via: 'fd00::1' }));
});

test('source, peer type, communities, AS path, priority', () => {
  assert.ok(matches({ source: 'RemotePeers' }, {}));
  assert.ok(!matches({ source: 'RemotePeers' }, { from: 'local' }));
  assert.ok(matches({ peerType: 'iBGP' }, {}));
  assert.ok(!matches({ peerType: 'eBGP' }, {}));
  assert.ok(matches({ peerType: 'eBGP' }, {}, { isInternal: false }));
  const standard = { communities: { values: ['65000:100'] } };
  assert.ok(matches(standard, { communities: [1, 65_000 * 65_536 + 100] }));
  assert.ok(!matches(standard, { communities: [1] }));
  assert.ok(!matches(standard, {}));
  const large = { communities: { values: ['65000:1:2'] } };
  assert.ok(matches(large, { largeCommunities: [{ global: 65_000, local1: 1, local2: 2 }] }));
  assert.ok(!matches(large, { largeCommunities: [{ global: 65_000, local1: 1, local2: 3 }] }));
  const heard = { asPathPrefix: [65_001, 65_002] };
  assert.ok(matches(heard, { asPath: sequence(65_001, 65_002, 65_003) }));
  assert.ok(!matches(heard, { asPath: sequence(65_001) }));
  assert.ok(!matches(heard, { asPath: sequence(65_002, 65_001, 65_002) }));
  assert.ok(matches({ priority: 1024 }, { localPreference: 2_147_482_623 }));
  assert.ok(!matches({ priority: 512 }, { localPreference: 2_147_482_623 }));
});

function on(pattern: string, interfaceName?: string): boolean {
  return matches({ interface: pattern }, {}, interfaceName === undefined ? {} : { interfaceName });
}

test('interfaces by name and by pattern', () => {
  assert.ok(on('ens33', 'ens33'));
  assert.ok(on('*.calico', 'vxlan.calico'));
  assert.ok(on('e*s*3', 'ens33'));
  assert.ok(!on('e*s*4', 'ens33'));
  assert.ok(!on('ens33*33', 'ens33'));
  assert.ok(!on('*', undefined));
});

test('conditions are ANDed, the first rule that matches decides', () => {
  const rules = compile([
    { action: 'Reject', peerType: 'eBGP', source: 'RemotePeers' },
    { action: 'Accept', source: 'RemotePeers' },
    { action: 'Reject' },
  ])[4];
  const found = (isFromPeer: boolean, isInternal: boolean) => {
    const { prefix, data } = path({});
    const subject = { prefix, data, isFromPeer, isInternal, interfaceName: () => undefined };
    return findRule(rules, subject)?.name.split(' ', 2).join(' ');
  };
  assert.deepEqual(
    [found(true, false), found(true, true), found(false, false)],
    ['rule 1', 'rule 2', 'rule 3'],
  );
});

test('a stored rule prepends no AS 0', () => {
  const operations = [{ prependASPath: { prefix: [65_001, 0] } }];
  const spec = { exportV4: [{ action: 'Accept', operations }] };
  const stored = parseStored('BGPFilter', JSON.stringify({ metadata: { name: 'f' }, spec }));
  const [rule] = new FilterLibrary([stored]).combine(['f'], () => {}).export[4];
  assert.deepEqual(rule?.changes?.prepend, [65_001]);
});

test('operations in their order: the path starts with the prefix given last', () => {
  const [rule] = compile([
    {
      action: 'Accept',
      operations: [
        { prependASPath: { prefix: [65_001, 65_002] } },
        { addCommunity: { value: '65000:1' } },
        { addCommunity: { value: '65000:1:2' } },
        { prependASPath: { prefix: [65_003] } },
        { addCommunity: { value: '65000:1' } },
        { setPriority: { value: 512 } },
      ],
    },
  ])[4];
  assert.ok(rule?.changes !== undefined);
  const { attributes } = applyChanges(path({ asPath: sequence(7) }).data, rule.changes);
  assert.equal(formatAsPath(attributes.asPath ?? []), '65003 65001 65002 7');
  assert.deepEqual(attributes.communities?.map(formatCommunity), ['65000:1']);
  assert.deepEqual(attributes.largeCommunities?.map(formatLargeCommunity), ['65000:1:2']);
  assert.equal(attributes.localPreference, 2_147_483_135);
});

test('filters follow each other, and one that is missing lets nothing through', () => {
  const library = new FilterLibrary([
    bgpFilter('a', { importV4: [{ action: 'Accept' }] }) as BGPFilter,
    bgpFilter('b', { importV4: [{ action: 'Reject' }] }) as BGPFilter,
  ]);
  const problems: string[] = [];
  const { import: imports } = library.combine(['b', 'a', 'x'], (each) => problems.push(each));
  assert.deepEqual(
    imports[4].map(({ name, accepts }) => `${name} ${accepts}`),
    [
      'rule 1 of importV4 of BGPFilter "b" false',
      'rule 1 of importV4 of BGPFilter "a" true',
      'missing BGPFilter "x" false',
    ],
  );
  assert.match(problems.join(), /BGPFilter "x" does not exist/);
});
