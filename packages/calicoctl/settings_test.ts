import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSettings } from './settings.ts';

async function withFile(text: string, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'calicoctl-'));
  try {
    const file = join(folder, 'calicoctl.cfg');
    await writeFile(file, text);
    await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('loadSettings() takes the environment before the file before defaults', () =>
  withFile(
    'kind: CalicoAPIConfig\nspec:\n  apiAddress: api:1\n  ipamAddress: ipam:1\n  insecure: true\n  etcdEndpoints: x\n',
    async (file) => {
      const settings = await loadSettings(file, {
        CALICO_API_ADDRESS: 'unix:/x',
        CALICO_RUN_DIR: '',
      });
      assert.deepEqual(settings, {
        apiAddress: 'unix:/x',
        ipamAddress: 'ipam:1',
        statusAddress: '127.0.0.1:5673',
        runDir: '/var/run/calico',
        insecure: true,
        tlsCa: undefined,
        tlsCert: undefined,
        tlsKey: undefined,
        callTimeout: '10s',
      });
    },
  ));

test('loadSettings() refuses unknown fields and missing files', async () => {
  await withFile('apiAdress: x\n', async (file) => {
    await assert.rejects(loadSettings(file, {}), /unknown field "apiAdress", expected apiAddress/);
  });
  await withFile('{', async (file) => {
    await assert.rejects(loadSettings(file, {}), /Cannot read configuration file/);
  });
  await assert.rejects(loadSettings('/nonexistent/x', {}), /Cannot read configuration file/);
});

test('loadSettings() refuses what it would have to guess', async () => {
  await assert.rejects(
    loadSettings(undefined, { CALICO_INSECURE: 'ture' }),
    /Cannot use CALICO_INSECURE \(insecure\) "ture": expected true or false/,
  );
  await assert.rejects(
    loadSettings(undefined, { CALICO_CALL_TIMEOUT: 'soon' }),
    /Cannot use CALICO_CALL_TIMEOUT \(callTimeout\) "soon": expected a duration of at most "24h", for example "30s"/,
  );
});
