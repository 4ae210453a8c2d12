import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatColumns, TidyColumns } from './columns.ts';

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

test('TidyColumns keeps the widths of its first rows', () => {
  const table = new TidyColumns();
  const first = table.format([
    ['NAME', 'AS'],
    ['a', '64512'],
  ]);
  assert.equal(first, 'NAME   AS\na      64512\n');
  assert.equal(
    table.format([
      ['much longer', '1'],
      ['b', '2'],
    ]),
    'much longer   1\nb      2\n',
  );
  assert.equal(table.format([]), '');
});
