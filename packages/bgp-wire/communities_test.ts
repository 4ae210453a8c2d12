import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  WELL_KNOWN_COMMUNITIES,
} from './communities.ts';
import { Community } from './iana.ts';

test('formatCommunity() and formatLargeCommunity() show numbers', () => {
  assert.equal(formatCommunity(0xffffff01), '65535:65281');
  assert.equal(
    formatLargeCommunity({ global: 4_294_967_295, local1: 0, local2: 2 }),
    '4294967295:0:2',
  );
});

test('formatExtendedCommunity() names targets and origins, and shows others as they are', () => {
  const texts = [
    [0x0002_fc00_0000_0064n, 'rt:64512:100'],
    [0x0002_fc00_fedc_ba98n, 'rt:64512:4275878552'],
    [0x0003_0001_0000_0000n, 'ro:1:0'],
    [0x0102_c000_0201_0064n, 'rt:192.0.2.1:100'],
    [0x0202_fa56_ea00_ffffn, 'rt:4200000000:65535'],
    [0x4004_fc00_4cee_6b28n, '0x4004fc004cee6b28'],
    [0x8002_fc00_0000_0064n, '0x8002fc0000000064'],
  ] as const;
  for (const [community, text] of texts) assert.equal(formatExtendedCommunity(community), text);
});

test('every well-known community has a name', () => {
  assert.deepEqual(
    [...WELL_KNOWN_COMMUNITIES.values()].toSorted((a, b) => a - b),
    Object.values(Community),
  );
});
