// How soon after its start a speaker with a hundred peers, some of them dead, has everything in force
// (about 15 s).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipBatch } from '../lab/fabric.ts';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { Herd } from './herd/herd.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const PEERS = 100;
const DEAD_EVERY = 5;
const ROUTES_EACH = 10;
/** For processors that others use as well; the figures printed are what counts. */
const LIMIT_MS = 40_000;

const addresses = Array.from({ length: PEERS }, (_, index) => `192.168.80.${110 + index}`);
const live = addresses.filter((_address, index) => index % DEAD_EVERY !== 0);

test('a hundred peers, some of them dead: a start and a restart', {
  skip: cannotRun,
}, async (t) => {
  const lab = await BgpLab.start({ others: 100, [OURS]: 101 });
  const herd = new Herd(lab.speaker('others').namespace);
  try {
    await lab.apply('IPPool', 'outside', { cidr: '16.0.0.0/5', blockSize: 26 });
    const disabled = { asNumber: 64_512, nodeToNodeMeshEnabled: false };
    await lab.apply('BGPConfiguration', 'default', disabled);
    await lab.affinity(OURS, '10.244.85.192/26');
    for (const [index, peerIP] of addresses.entries()) {
      await lab.apply('BGPPeer', `peer-${index}`, { peerIP, asNumber: 65_000 });
    }
    await ipBatch(
      lab.speaker('others').namespace,
      live.map((address) => `address add ${address}/24 dev ens33`),
    );
    await herd.order({
      kind: 'create',
      holdTimeSeconds: 90,
      members: live.map((address, index) => ({
        address,
        asn: 65_000,
        routes: { first: 0x1000_0000 + index * 0x1_0000, count: ROUTES_EACH },
      })),
    });
    await herd.order({ kind: 'listen', addresses: live });
    const bgp = lab.startBgp(OURS);
    t.diagnostic(`start: ${await figures(lab, herd, Date.now())}`);
    const before = await lab.routes(OURS);
    await bgp.stop('SIGKILL');
    const restarted = Date.now();
    bgp.start();
    t.diagnostic(`restart: ${await figures(lab, herd, restarted)}`);
    assert.deepEqual(await lab.routes(OURS), before);
    await injectAndHold(lab, herd);
  } finally {
    await herd.stop();
    await lab.stop();
  }
});

/** Routes of a client that holds them by a call are told to all, and withdrawn when the call ends. */
async function injectAndHold(lab: BgpLab, herd: Herd): Promise<void> {
  const client = lab.bgpClient(OURS);
  const told = (more: number) => {
    const count = (live.length - 1) * ROUTES_EACH + 1 + more;
    return herd.become(
      (member) => member.told === count,
      LIMIT_MS,
      () => `expected ${count}`,
    );
  };
  const abort = new AbortController();
  const hold = client.holdRoutes({ client: 'test' }, { signal: abort.signal });
  const calls = hold[Symbol.asyncIterator]();
  await calls.next();
  await client.injectRoutes({ client: 'test', routes: [{ prefix: '16.255.0.0/24' }] });
  await told(1);
  abort.abort();
  await calls.next().catch(() => undefined);
  await told(0);
}

async function figures(lab: BgpLab, herd: Herd, started: number): Promise<string> {
  const log = (): string => lab.process(`bgp-${OURS}`).log().slice(-2_000);
  const fromUs = (live.length - 1) * ROUTES_EACH + 1;
  const members = await herd.become(
    ({ told, establishedAt }) => told === fromUs && establishedAt > started,
    LIMIT_MS,
    log,
  );
  const wanted = live.length * ROUTES_EACH + 1;
  await eventually(
    async () => (await lab.routes(OURS)).length === wanted,
    LIMIT_MS,
    () => `expected ${wanted} routes\n${log()}`,
  );
  const inForce = Date.now() - started;
  const toldAfter = Math.max(...members.map(({ toldAt }) => toldAt)) - started;
  const startMs = [
    ...lab
      .process(`bgp-${OURS}`)
      .log()
      .matchAll(/"startMs":([0-9]+)/g),
  ].at(-1)?.[1];
  return `${live.length} live peers told ours and the others' in ${toldAfter} ms, their routes in force in ${inForce} ms or less; loading the program took ${startMs} ms of it`;
}
