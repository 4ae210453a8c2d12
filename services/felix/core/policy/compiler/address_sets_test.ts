// Sets of nets that are looked up in several parts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { ruleText } from '@calico/nftables';
import { parseSelector } from '@calico/selector';
import type { Member } from '../meaning/members.ts';
import { ruleTerms } from '../meaning/rule_terms.ts';
import { MemberSelections } from './member_selections.ts';
import { policyRules } from './policy_rules.ts';
import { type NamedSet, verdict } from './ruleset.ts';
import { SetBuilder } from './set_builder.ts';
import { blockLength } from './set_form.ts';

const NETS = ['10.0.0.1', '10.0.0.9', '10.1.0.0/23', '10.1.0.0/24', '10.2.0.0/16', 'fd00::/30'];

function member(nets: readonly string[]): Member {
  const prefixes = nets.map((net) => parsePrefix(net));
  return { labels: { kind: 'wide' }, prefixes, ports: [] };
}

/** The rules of one policy as nft would list them, and the sets; there, two nets are many. */
function compiled(...rules: readonly object[]): Compiled {
  return compiledWith(NETS, rules);
}

type Compiled = {
  readonly texts: readonly string[];
  readonly sets: ReadonlyMap<string, NamedSet>;
};

function compiledWith(nets: readonly string[], rules: readonly object[]): Compiled {
  const sets = new Map<string, NamedSet>();
  const owner = {
    chain: 'policy/p',
    title: 'p',
    logPrefix: 'p',
    allow: [verdict('accept')],
    deny: [verdict('drop')],
    pass: [verdict('return')],
    denied: () => [],
  };
  const terms = ruleTerms(rules as Parameters<typeof ruleTerms>[0], '');
  const builder = new SetBuilder(new MemberSelections([member(nets)], 2), sets);
  const texts = policyRules(terms, builder, owner).map((rule) =>
    ruleText(rule).replaceAll(/\/(?:[0-9a-f]{20}|[0-9a-v]{15})\b/gu, ''),
  );
  return { texts, sets };
}

const wide = { selector: "kind == 'wide'" };

test('any part of a set makes a rule match; each is asked under the mask of its blocks', () => {
  const { texts, sets } = compiled({ action: 'Allow', ipVersion: 4, source: wide });
  assert.deepEqual(texts, [
    'ip saddr @endpoints4 counter accept comment "p rule 1 Allow"',
    'ip saddr & 255.255.255.0 @nets4-24 counter accept comment "p rule 1 Allow"',
    'ip saddr @nets4 counter accept comment "p rule 1 Allow"',
  ]);
  assert.deepEqual(
    [...sets.values()].map(({ interval, elements }) => [interval, [...elements.keys()]]),
    [
      [false, ['10.0.0.1', '10.0.0.9']],
      [false, ['10.1.0.0', '10.1.1.0']],
      [true, ['10.2.0.0/16']],
    ],
  );
});

test('no part of a set has what the set does not have', () => {
  const notWide = { notSelector: "kind == 'wide'" };
  const { texts } = compiled({ action: 'Allow', ipVersion: 4, source: notWide });
  assert.deepEqual(texts, [
    'ip saddr != @endpoints4 ip saddr & 255.255.255.0 != @nets4-24 ip saddr != @nets4 counter accept comment "p rule 1 Allow"',
  ]);
});

test('a packet that is in two parts is logged once', () => {
  const { texts } = compiled({ action: 'Log', ipVersion: 4, source: wide });
  assert.deepEqual(
    texts.map((text) => text.split(' counter')[0]),
    [
      'ip saddr @endpoints4',
      'ip saddr & 255.255.255.0 @nets4-24 ip saddr != @endpoints4',
      'ip saddr @nets4 ip saddr != @endpoints4 ip saddr & 255.255.255.0 != @nets4-24',
    ],
  );
});

test('rules of one set that differ in ports are one look-up, asked once for each part', () => {
  const rules = [80, 81, 82, 83, 84].map((port) => ({
    action: 'Allow',
    ipVersion: 4,
    protocol: 'TCP',
    source: wide,
    destination: { ports: [port] },
  }));
  const { texts, sets } = compiled(...rules);
  const maps = [...sets.values()].filter(({ kind }) => kind === 'counter-map');
  assert.equal(texts.length, 3);
  assert.equal(maps.length, 1);
  assert.match(
    texts[1] ?? '',
    /^ip saddr & 255\.255\.255\.0 @nets4-24 counter name tcp dport map/u,
  );
});

test('one address, one net and one range more do not make parts of their own', () => {
  const few = new MemberSelections([member(NETS)]);
  const { parts } = few.addresses(parseSelector('all()'), 4);
  assert.deepEqual(
    parts.map(({ form, elements }) => [form, [...elements.keys()]]),
    [['ranges', ['10.0.0.1', '10.0.0.9', '10.1.0.0/23', '10.2.0.0/16']]],
  );
});

test('sets of nets of every length at both ends are 49 rules at most', () => {
  for (const ipVersion of [4, 6] as const) {
    const [bits, bases] =
      ipVersion === 4 ? [32, ['10.0.0.0', '11.0.0.0']] : [128, ['fc00::', 'fd00::']];
    const nets = Array.from({ length: bits - 7 }, (_, index) =>
      bases.map((base) => `${base}/${index + 8}`),
    ).flat();
    const both = { action: 'Log', ipVersion, source: wide, destination: wide };
    const { texts } = compiledWith(nets, [both]);
    assert.ok(texts.length >= 36 && texts.length <= 49, `${texts.length} rules`);
    // The last one is for what is in no other part of either end.
    assert.ok((texts.at(-1)?.split('!=').length ?? 0) - 1 <= 12, texts.at(-1));
  }
});

test('IPv6 nets of lengths that are given out are blocks, sixteen each at most', () => {
  const lengths = [28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 128];
  assert.deepEqual(
    lengths.map((length) => blockLength({ family: 6, length })),
    [32, 32, 40, 40, 48, 48, 56, 56, 64, 64, 128],
  );
  assert.equal(blockLength({ family: 6, length: 120 }), 'ranges');
});
