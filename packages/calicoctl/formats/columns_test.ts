import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatColumns } from './columns.ts';

test('formatColumns() pads every cell by three, to at least five', () => {
  assert.equal(
    formatColumns([
      ['NAME', 'CIDR', 'A'],
      ['default-ipv4-ippool', '10.244.0.0/16', 'x'],
      ['ü', '', ''],
    ]),
    [
      'NAME                  CIDR            A    ',
      'default-ipv4-ippool   10.244.0.0/16   x    ',
      'ü                                          ',
      '',
      '',
    ].join('\n'),
  );
});

test('formatColumns() of headings alone', () => {
  assert.equal(formatColumns([['NAME']]), 'NAME   \n\n');
});
