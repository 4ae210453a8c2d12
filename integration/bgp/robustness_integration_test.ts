// Peers and strangers that behave badly, by the hundred, against the real process (about a minute).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { ipBatch } from '../lab/fabric.ts';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { Herd, NO_ROUTES, type Routes } from './herd/herd.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const TARGET = '10.88.255.1';
/** The herd plays everybody in one process: on a busy machine it is late with keepalives too. */
const HOLD_SECONDS = 60;
const DEAF_HOLD_SECONDS = 20;
/** The least that the resource allows. */
const SEND_HOLD_SECONDS = DEAF_HOLD_SECONDS + 1;
const FLOOD_MS = 6_000;
const CROWD = 500;
const TABLE: Routes = { first: 0x1000_0000, count: 100_000 };
const CHURN: Routes = { first: 0x1400_0000, count: 5_000 };

/** 10.88.0.1, 10.88.0.2, …: what the crowd connects from. */
function crowdAddress(index: number): string {
  return `10.88.${index >> 8}.${index & 255}`;
}

const crowd = Array.from({ length: CROWD }, (_, index) => crowdAddress(index + 1));
const [FEEDER, READER, SLEEPER, STRANGER, DEAF] = [
  '10.88.128.1',
  '10.88.0.1',
  '10.88.0.2',
  '10.88.200.1',
  '10.88.200.2',
] as const;

suite('a node among bad company', { skip: cannotRun }, () => {
  let lab: BgpLab;
  let herd: Herd;

  before(async () => {
    lab = await BgpLab.start({ others: 100, [OURS]: 101 });
    await lab.apply('IPPool', 'outside', { cidr: '16.0.0.0/5', blockSize: 26 });
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64_512,
      nodeToNodeMeshEnabled: false,
    });
    const common = { maxPeers: 600, passive: true, holdTime: '90s' };
    await lab.apply('BGPPeer', 'crowd', {
      peerPrefix: '10.88.0.0/17',
      asNumber: 65_000,
      ...common,
    });
    await lab.apply('BGPPeer', 'feeders', {
      peerPrefix: '10.88.128.0/18',
      asNumber: 65_001,
      ...common,
    });
    await lab.apply('BGPPeer', 'deaf', {
      peerIP: DEAF,
      asNumber: 65_000,
      passive: true,
      holdTime: `${DEAF_HOLD_SECONDS}s`,
      sendHoldTime: `${SEND_HOLD_SECONDS}s`,
    });
    await lab.affinity(OURS, '10.244.85.192/26');
    await ipBatch(lab.speaker(OURS).namespace, [`address add ${TARGET}/16 dev ens33`]);
    await ipBatch(
      lab.speaker('others').namespace,
      [...crowd, FEEDER, STRANGER, DEAF].map((address) => `address add ${address}/16 dev ens33`),
    );
    // What the kernel holds for a peer that does not read is fixed too; here it is little beside a table.
    await lab.run(OURS, 'sysctl -qw net.ipv4.tcp_wmem=4096\t65536\t131072');
    await lab.run('others', 'sysctl -qw net.ipv4.tcp_rmem=4096\t65536\t131072');
    lab.startBgp(OURS);
    herd = new Herd(lab.speaker('others').namespace);
    await lab.routesBecome(OURS, ['blackhole 10.244.85.192/26'], 20_000);
    await eventually(
      async () => (await lab.run(OURS, 'ss -Hltn sport = :179')) !== '',
      20_000,
      () => `nobody listens\n${log()}`,
    );
  });

  after(async () => {
    await herd?.stop();
    await lab?.stop();
  });

  const log = (): string => lab.process(`bgp-${OURS}`).log().slice(-3_000);

  const residentMebibytes = (): number => {
    const { pid } = lab.process(`bgp-${OURS}`);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) / 1024;
  };

  test(`${CROWD} peers connect at once`, async (t) => {
    await herd.order({
      kind: 'create',
      holdTimeSeconds: HOLD_SECONDS,
      members: crowd.map((address) => ({ address, asn: 65_000, routes: NO_ROUTES })),
    });
    const started = Date.now();
    await herd.order({ kind: 'dial', addresses: crowd, target: TARGET });
    const members = await herd.become(({ told }) => told === 1, 30_000, log);
    const last = Math.max(...members.map(({ establishedAt }) => establishedAt)) - started;
    const told = Math.max(...members.map(({ toldAt }) => toldAt)) - started;
    t.diagnostic(`${CROWD} sessions established in ${last} ms, all told our block in ${told} ms`);
  });

  test('scanners, half-open connections and nonsense disturb nobody', async () => {
    for (const address of [STRANGER, SLEEPER]) {
      for (const [manner, count] of [
        ['scan', 300],
        ['silent', 100],
        ['nonsense', 200],
      ] as const) {
        await herd.order({ kind: 'pester', address, target: TARGET, count, manner });
      }
    }
    const members = await herd.members();
    assert.deepEqual(
      members.filter(({ isEstablished }) => !isEstablished),
      [],
    );
  });

  test('one peer floods, the others hear from us in time', async (t) => {
    await herd.order({ kind: 'close' });
    // All of them are told what the flood brings: more would keep the herd busy, not the node.
    const others = crowd.slice(0, 20);
    await herd.order({
      kind: 'create',
      holdTimeSeconds: HOLD_SECONDS,
      members: [
        { address: FEEDER, asn: 65_001, routes: NO_ROUTES },
        ...others.map((address) => ({ address, asn: 65_000, routes: NO_ROUTES })),
      ],
    });
    await herd.order({ kind: 'dial', addresses: [FEEDER, ...others], target: TARGET });
    await herd.become(({ isEstablished }) => isEstablished, 30_000, log);
    await herd.order({ kind: 'flood', address: FEEDER, routes: CHURN });
    await new Promise((resolve) => setTimeout(resolve, FLOOD_MS));
    const { updates } = await herd.order({ kind: 'calm', address: FEEDER });
    const members = await herd.members();
    assert.deepEqual(
      members.filter(({ isEstablished }) => !isEstablished),
      [],
    );
    const silence = Math.max(...members.map(({ longestSilenceMs }) => longestSilenceMs));
    t.diagnostic(`${String(updates)} routes flooded, longest silence towards others ${silence} ms`);
  });

  test('a peer that stops to read costs a fixed amount, and nobody else', async (t) => {
    await herd.order({ kind: 'close' });
    await herd.order({
      kind: 'create',
      holdTimeSeconds: HOLD_SECONDS,
      members: [READER, SLEEPER].map((address) => ({ address, asn: 65_000, routes: NO_ROUTES })),
    });
    await herd.order({ kind: 'dial', addresses: [READER, SLEEPER], target: TARGET });
    await herd.become(({ isEstablished }) => isEstablished, 20_000, log);
    await herd.order({ kind: 'pause', address: SLEEPER });
    await herd.order({
      kind: 'create',
      holdTimeSeconds: HOLD_SECONDS,
      members: [{ address: FEEDER, asn: 65_001, routes: TABLE }],
    });
    await herd.order({ kind: 'dial', addresses: [FEEDER], target: TARGET });
    const hasHeard = (tables: number): Promise<unknown> =>
      herd.become(
        ({ address, heard }) => address !== READER || heard >= tables * TABLE.count,
        30_000,
        log,
      );
    await hasHeard(1);
    const memory = [residentMebibytes()];
    const versions = 4;
    for (let version = 2; version <= versions; version++) {
      await herd.order({ kind: 'announce', address: FEEDER, routes: TABLE, version });
      await hasHeard(version);
      memory.push(residentMebibytes());
    }
    await herd.order({ kind: 'resume', address: SLEEPER });
    const members = await herd.become(
      ({ address, told }) => address === FEEDER || told > TABLE.count,
      30_000,
      log,
    );
    const heard = members.find(({ address }) => address === SLEEPER)?.heard ?? 0;
    const silence = members.find(({ address }) => address === READER)?.longestSilenceMs;
    t.diagnostic(
      `of ${versions * TABLE.count} changes, ${heard} were kept for the sleeper; resident ` +
        `${memory.map((each) => each.toFixed(0)).join(', ')} MiB; longest silence towards the reader ${silence} ms`,
    );
    // What waited in the kernel, and the table as it is now; not every change.
    assert.ok(heard < 2 * TABLE.count, `${heard} announcements`);
  });

  test('a peer that says keepalives and reads nothing loses its session (RFC 9687)', async () => {
    await herd.order({ kind: 'close' });
    const create = async (
      address: string,
      asn: number,
      routes: Routes,
      holdTimeSeconds: number,
    ): Promise<void> => {
      const members = [{ address, asn, routes }];
      await herd.order({ kind: 'create', holdTimeSeconds, members });
      await herd.order({ kind: 'dial', addresses: [address], target: TARGET });
    };
    await create(DEAF, 65_000, NO_ROUTES, DEAF_HOLD_SECONDS);
    await herd.become(({ isEstablished }) => isEstablished, 30_000, log);
    await herd.order({ kind: 'pause', address: DEAF });
    await create(FEEDER, 65_001, TABLE, HOLD_SECONDS);
    const members = await herd.become(
      ({ address, ended }) => address !== DEAF || ended !== '',
      1_000 * SEND_HOLD_SECONDS + 20_000,
      log,
    );
    // No NOTIFICATION reaches who does not read.
    assert.match(members.find(({ address }) => address === DEAF)?.ended ?? '', /ECONNRESET|EPIPE/);
    await eventually(
      () => /Sent: Send hold timer expired.*session lost/.test(lab.process(`bgp-${OURS}`).log()),
      20_000,
      log,
    );
    assert.equal(members.find(({ address }) => address === FEEDER)?.ended, '');
    await herd.become(({ address, told }) => address !== DEAF || told > TABLE.count, 30_000, log);
  });
});
