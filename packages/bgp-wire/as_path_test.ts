import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AsPath,
  asPathContains,
  asPathLength,
  decodeAsPath,
  encodeAsPath,
  formatAsPath,
  hasMembers,
  mergeAs4Path,
  neighbourAs,
  prependAs,
  prependMember,
  withoutMembers,
} from './as_path.ts';
import { ByteWriter } from './bytes.ts';

const sequence = (...asns: number[]) => ({ kind: 'sequence', asns }) as const;
const set = (...asns: number[]) => ({ kind: 'set', asns }) as const;
const confed = (...asns: number[]) => ({ kind: 'confed-sequence', asns }) as const;

test('asPathLength() counts a set as one and confederations not at all', () => {
  assert.equal(asPathLength([confed(1, 2), sequence(3, 4), set(5, 6, 7)]), 3);
});

test('neighbourAs() is the first of the first real sequence', () => {
  assert.equal(neighbourAs([confed(1), sequence(3, 4)]), 3);
  assert.equal(neighbourAs([set(3, 4)]), undefined);
  assert.equal(neighbourAs([]), undefined);
});

test('prependAs() extends a leading sequence and starts one otherwise', () => {
  assert.deepEqual(prependAs([sequence(2)], [1]), [sequence(1, 2)]);
  assert.deepEqual(prependAs([set(2)], [1]), [sequence(1), set(2)]);
  assert.deepEqual(prependAs([], [1]), [sequence(1)]);
});

test('formatAsPath() and asPathContains()', () => {
  const path: AsPath = [confed(9), sequence(1, 1, 2), set(3, 4)];
  assert.equal(formatAsPath(path), '(9) 1 1 2 {3 4}');
  assert.equal(asPathContains(path, 1), 2);
});

test('encodeAsPath() splits sequences longer than 255', () => {
  const asns = Array.from({ length: 600 }, (_, index) => index + 1);
  const writer = new ByteWriter();
  encodeAsPath(writer, [sequence(...asns)], true);
  const path = decodeAsPath(writer.finish(), true);
  assert.deepEqual(
    path?.map((segment) => segment.asns.length),
    [255, 255, 90],
  );
  assert.deepEqual(
    path?.flatMap((segment) => segment.asns),
    asns,
  );
});

test('mergeAs4Path() follows RFC 6793 section 4.2.3', () => {
  const trans = 23456;
  assert.deepEqual(mergeAs4Path([sequence(1, trans, 3)], [sequence(70000, 3)]), [
    sequence(1, 70000, 3),
  ]);
  // A longer AS4_PATH is not believed.
  assert.deepEqual(mergeAs4Path([sequence(1)], [sequence(70000, 3)]), [sequence(1)]);
  assert.deepEqual(mergeAs4Path([sequence(1), set(2, 3), sequence(trans)], [sequence(70000)]), [
    sequence(1),
    set(2, 3),
    sequence(70000),
  ]);
  assert.deepEqual(mergeAs4Path([confed(5), sequence(trans)], [sequence(70000)]), [
    confed(5),
    sequence(70000),
  ]);
});

test('paths inside a confederation, and on their way out of it', () => {
  const path: AsPath = [{ kind: 'sequence', asns: [65100, 65101] }];
  const once = prependMember(path, [65001]);
  assert.equal(formatAsPath(once), '(65001) 65100 65101');
  const twice = prependMember(once, [65002]);
  assert.equal(formatAsPath(twice), '(65002 65001) 65100 65101');
  assert.equal(asPathLength(twice), 2);
  assert.deepEqual([hasMembers(path), hasMembers(twice)], [false, true]);
  assert.deepEqual(withoutMembers(twice), path);
  assert.equal(withoutMembers(path), path);
});
