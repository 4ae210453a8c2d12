import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { CheckProblemKind } from '@calico/proto/ipam/v1/admin';
import { memoryCluster } from './testing/memory_cluster.ts';

const { services, calicoctl } = memoryCluster();
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calicoctl-ipam-'));
});

after(async () => {
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  services.admin.checkParts = [
    { summary: { clusterGuid: 'g', calicoVersion: '1' } },
    {
      allocations: ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address, i) => ({
        address,
        handleId: `h${i}`,
        sequenceNumber: BigInt(i),
        inUse: i === 2,
      })),
    },
    {
      problems: [
        { kind: CheckProblemKind.LEAKED_HANDLE, subject: 'lost', revision: 4n },
        { kind: CheckProblemKind.WRONG_COUNT, subject: 'h2', revision: 5n },
        { kind: CheckProblemKind.NODE_GONE, subject: 'n9' },
        { kind: CheckProblemKind.TWO_OWNERS, subject: '10.0.0.3' },
      ],
    },
  ];
});

async function report(name: string): Promise<string> {
  const file = join(folder, name);
  assert.match(
    await calicoctl.succeeds(`ipam check -o ${file}`),
    /Check complete; found 4 problems\.\n$/,
  );
  return file;
}

const CLUSTER = `apiVersion: projectcalico.org/v3
kind: ClusterInformation
metadata: {name: default}
spec: {clusterGUID: g, calicoVersion: '1'}
`;

test('ipam release --from-report repairs what is in all reports, fenced', async () => {
  await calicoctl.succeeds('apply -f -', CLUSTER);
  const first = await report('first.json');
  services.admin.checkParts.splice(1, 1, {
    allocations: [
      { address: '10.0.0.1', handleId: 'h0', sequenceNumber: 0n },
      { address: '10.0.0.2', handleId: 'h1', sequenceNumber: 1n },
      { address: '10.0.0.9', handleId: 'h9' },
    ],
  });
  const second = await report('second.json');
  const out = await calicoctl.succeeds(
    `ipam release --from-report=${first} --from-report=${second}`,
  );
  assert.equal(
    out,
    `Skipped 10.0.0.1: it is in use again
Released 1 IPs successfully
Released 1 handles; 0 skipped; 0 errors.
Corrected 2 records; 0 skipped.
`,
  );
  const [addresses, handles, others] = services.admin.repairs;
  assert.deepEqual(
    addresses?.addresses.map(({ address, handleId, sequenceNumber }) => [
      address,
      handleId,
      sequenceNumber,
    ]),
    [
      ['10.0.0.1', 'h0', 0n],
      ['10.0.0.2', 'h1', 1n],
    ],
  );
  assert.deepEqual(
    [...(handles?.records ?? []), ...(others?.records ?? [])].map(({ subject, revision }) => [
      subject,
      revision,
    ]),
    [
      ['lost', 4n],
      ['h2', 5n],
      ['n9', 0n],
    ],
  );
});

test('a report of another cluster or version is refused, unless forced', async () => {
  await calicoctl.succeeds('apply -f -', CLUSTER.replace('clusterGUID: g', 'clusterGUID: other'));
  const file = await report('foreign.json');
  assert.match(
    await calicoctl.fails(`ipam release --from-report=${file}`),
    /its clusterGUID is "g", this cluster's is "other"/,
  );
  await calicoctl.succeeds('apply -f -', CLUSTER.replace("'1'", "'2'"));
  assert.match(
    await calicoctl.fails(`ipam release --from-report=${file}`),
    /its version is "1", this cluster's is "2"/,
  );
  assert.equal(services.admin.repairs.length, 0);
  assert.match(
    await calicoctl.succeeds(`ipam release --from-report=${file} --force`),
    /Released 1 IPs/,
  );
  assert.equal(services.admin.repairs[0]?.force, true);
});

test('wrong use of check and release is explained', async () => {
  assert.match(
    await calicoctl.fails('ipam check -o /no/such/folder/x'),
    /Cannot write report "\/no\/such/,
  );
  assert.match(
    await calicoctl.fails('ipam release --from-report=/no/such'),
    /Cannot read report "\/no\/such/,
  );
  assert.match(
    await calicoctl.fails('ipam release --ip=1.1.1.1 --handle=h'),
    /expected either --ip or/,
  );
  const file = join(folder, 'kept.json');
  await report('kept.json');
  assert.match(await readFile(file, 'utf8'), /"clusterGUID": "g"/);
});

test('ipam split shows the parts', async () => {
  const dry = await calicoctl.succeeds('ipam split 2 --name=p --dry-run');
  assert.match(dry, /\| split-p-1 \| 10\.1\.0\.0\/16 \|/);
  assert.match(dry, /would be split into 2 IP pools; nothing was changed\n$/);
  assert.match(
    await calicoctl.succeeds('ipam split 2 --name=p'),
    /Successfully split IP pool p into 2/,
  );
  assert.match(
    await calicoctl.fails('ipam split x --name=p'),
    /Cannot split into "x" parts: expected 2, 4/,
  );
  assert.match(await calicoctl.fails('ipam split 2'), /expected either --cidr or --name/);
});

test('ipam migrate plans first, then disables the old pool', async () => {
  await calicoctl.succeeds(
    'apply -f -',
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: old}\nspec: {cidr: 10.0.0.0/16}\n',
  );
  const move = 'ipam migrate --from-pool=old --to-pool=new';
  services.admin.plan = {
    from: 'old',
    to: 'new',
    free: '64',
    workloads: [{ node: 'n1', workload: 'default/a', address: '10.0.0.1' }],
    tunnelAddresses: 2n,
  };
  assert.equal(
    await calicoctl.succeeds(`${move} --dry-run`),
    `+------+-----------+----------+
| NODE | WORKLOAD  |    IP    |
+------+-----------+----------+
| n1   | default/a | 10.0.0.1 |
+------+-----------+----------+
1 workload IPs and 2 tunnel IPs to move; 64 free in IP pool new.
Nothing was changed.
`,
  );
  assert.doesNotMatch(await calicoctl.succeeds('get ippool old -o yaml'), /disabled: true/);
  assert.match(await calicoctl.succeeds(move), /disabled IP pool old\nStart 1 workloads again/);
  assert.match(await calicoctl.succeeds('get ippool old -o yaml'), /disabled: true/);
  services.admin.plan = { from: 'old', to: 'new', free: '64', oldPoolDisabled: true };
  assert.match(
    await calicoctl.succeeds(move),
    /No workload is left: delete it with "calicoctl delete ippool/,
  );
  services.admin.plan = { ...services.admin.plan, obstacles: ['pool "new" is disabled'] };
  assert.match(
    await calicoctl.fails(move),
    /Cannot migrate from pool "old" to "new": pool "new" is disabled/,
  );
});

test('ipam plan shows proposals, and gives the blocks back when told so', async () => {
  services.admin.placement = {
    routesBefore: 5n,
    routesAfter: 4n,
    moves: [{ block: '10.0.0.64/26', node: 'n2', reason: 'empty; in the way', routesSaved: 1n }],
  };
  const shown = await calicoctl.succeeds('ipam plan');
  assert.equal(
    shown,
    `+--------------+------+--------------+-------------------+
|    BLOCK     | NODE | ROUTES SAVED |      REASON       |
+--------------+------+--------------+-------------------+
| 10.0.0.64/26 | n2   |            1 | empty; in the way |
+--------------+------+--------------+-------------------+
5 routes to all nodes; 4 without the 1 blocks listed.
`,
  );
  assert.equal(
    await calicoctl.succeeds('ipam plan --apply'),
    `${shown}Successfully released 1 blocks\n`,
  );
  assert.deepEqual(services.releasedNodes, ['n2']);
  services.admin.placement = {
    planner: { intervalSeconds: 300, plannedAtMs: 1_790_000_000_000n, applies: true, released: 3n },
  };
  assert.match(
    await calicoctl.succeeds('ipam plan'),
    /ipam looks every 300 s and gives such blocks back, 3 so far; last round: 2026-09-21T/,
  );
});

test('ipam configure sets every field under the name it has in Go', async () => {
  assert.equal(
    await calicoctl.succeeds(
      'ipam configure --strictaffinity=true --max-blocks-per-host=4 --ip-cooldown-seconds=30 --kubevirt-ip-persistence=Disabled',
    ),
    `Successfully set StrictAffinity to: true
Successfully set MaxBlocksPerHost to: 4
Successfully set KubeVirtVMAddressPersistence to: Disabled
Successfully set IPCooldownSeconds to: 30
`,
  );
  assert.match(
    await calicoctl.fails('ipam configure --ip-cooldown-seconds=1201'),
    /whole number from 0 to 1200/,
  );
  assert.match(
    await calicoctl.fails('ipam configure'),
    /expected at least one of --strictaffinity, --max/,
  );
});
