import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../command_error.ts';
import { followVersion } from './version.ts';

test('followVersion() says a version once, and when api is away or another', async () => {
  const answers = ['1', '1', undefined, undefined, '1', '2'];
  const said: string[] = [];
  const ask = async () => {
    const version = answers.shift();
    if (version === undefined) throw new CommandError('away');
    return { version, clusterType: 'k8s', clusterGuid: 'g' };
  };
  const terminal = {
    out: (text: string) => void said.push(text.split('\n')[0] ?? ''),
    err: (text: string) => void said.push(text.trim()),
  };
  const wait = async () => {
    if (answers.length === 0) throw new Error('enough');
  };
  await assert.rejects(followVersion(ask, terminal, wait), /enough/);
  assert.deepEqual(said, [
    'Cluster Version:   1',
    'away',
    'Cluster Version:   1',
    'Cluster Version:   2',
  ]);
});

const broken = () => Promise.reject(new TypeError('a mistake'));

test('followVersion() does not go on after what is no answer of a service', async () => {
  const terminal = { out: () => {}, err: () => {} };
  await assert.rejects(
    followVersion(broken, terminal, async () => {}),
    /a mistake/,
  );
});
