// What a speaker beside BIRD tells a BMP collector, and its table as bgpdump reads it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  BmpFramer,
  type BmpMessage,
  DEFAULT_CONTEXT,
  decodeMessage,
  decodeMrt,
  MessageFramer,
  type WireContext,
} from '@calico/bgp-wire';
import { formatAddress, formatPrefix } from '@calico/ip';
import { execOk } from '../lab/exec.ts';
import { ManagedProcess } from '../lab/managed_process.ts';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { birdConfiguration } from './bird_configuration.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const NODES = { bird: 100, 'k8s-node01': 101 };
const COLLECTOR = ['192.168.80.10', '11019'] as const;
const TABLES = ['192.168.80.100 pre-policy', '192.168.80.100 post-policy', 'loc-rib'];

test('BMP and MRT beside BIRD 2', { skip: cannotRun }, async (t) => {
  const lab = await BgpLab.start(NODES);
  const stream = join(lab.directory, 'bmp.bin');
  const collector = new ManagedProcess({
    service: 'collector',
    node: 'control',
    namespace: lab.control,
    command: ['nc', '-l', ...COLLECTOR],
    env: {},
    logFile: stream,
    detached: false,
  });
  try {
    collector.start();
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      bmp: { collector: COLLECTOR.join(':') },
      sessionRecording: {},
    });
    await lab.affinity('k8s-node01', '10.244.85.192/26');
    const peers = [lab.speaker('k8s-node01')];
    const options = { blocks: ['10.244.235.192/26', '10.244.236.0/26'] };
    await lab.startBird('bird', '2', birdConfiguration('2', lab.speaker('bird'), peers, options));
    const bgp = lab.startBgp('k8s-node01');
    const expected = [
      '10.244.235.192/26 via 192.168.80.100 dev ens33',
      '10.244.236.0/26 via 192.168.80.100 dev ens33',
      'blackhole 10.244.85.192/26',
    ];
    await lab.routesBecome('k8s-node01', expected, 30_000);

    await t.test('a dump is what bgpdump reads', () => dumps(lab));
    await t.test('a recording of the session is what bgpdump reads, both ways', () => records(lab));
    await t.test('the collector hears of the session, the routes and the end', async () => {
      await lab.birdc('bird', 'disable blocks');
      await lab.routesBecome('k8s-node01', ['blackhole 10.244.85.192/26']);
      // The end of a session takes along whatever the collector has not been told by then.
      await eventually(
        () => {
          const lines = readStream(stream);
          return TABLES.every((table) => lines.includes(`${table} - 10.244.235.192/26`));
        },
        20_000,
        () => readStream(stream).join('\n'),
      );
      await lab.birdc('bird', 'disable Mesh_192_168_80_101');
      await eventually(
        () => readStream(stream).some((line) => line.startsWith('peer-down')),
        20_000,
        () => readStream(stream).join('\n'),
      );
      // However long it takes: stop() would lose patience.
      process.kill(bgp.pid ?? 0, 'SIGTERM');
      await bgp.ended;
      await eventually(
        () => readStream(stream).includes('termination'),
        20_000,
        () => readStream(stream).join('\n'),
      );
      checkStory(readStream(stream));
    });
  } finally {
    await collector.stop('SIGKILL');
    await lab.stop();
  }
});

async function dumps(lab: BgpLab): Promise<void> {
  const { directory } = lab.speaker('k8s-node01');
  const file = join(directory, 'table.mrt');
  await execOk([process.execPath, 'packages/calicoctl/main.ts', 'bgp', 'dump', '--out', file], {
    env: { ...process.env, CALICO_RUN_DIR: directory },
  });
  const lines = (await execOk(['bgpdump', '-m', file])).trim().split('\n');
  // TABLE_DUMP2|time|B|peer|AS|prefix|AS path|origin|next hop|local preference|…
  // With path identifiers, which BIRD gives: TABLE_DUMP2_AP|time|B|peer|AS|prefix|identifier|AS path|…
  const fields = lines
    .map((line) => line.split('|').toSpliced(1, 1))
    .map(([type = '', ...rest]) =>
      type === 'TABLE_DUMP2_AP' && Number(rest[4]) > 0
        ? [type, ...rest.toSpliced(4, 1)].slice(0, 8)
        : [type, ...rest].slice(0, 8),
    )
    .toSorted((a, b) => (a.join() < b.join() ? -1 : 1));
  const remote = ['TABLE_DUMP2_AP', 'B', '192.168.80.100', '64512'];
  assert.deepEqual(fields, [
    ['TABLE_DUMP2', 'B', '0.0.0.0', '64512', '10.244.85.192/26', '', 'IGP', '0.0.0.0'],
    [...remote, '10.244.235.192/26', '', 'IGP', '192.168.80.100'],
    [...remote, '10.244.236.0/26', '', 'IGP', '192.168.80.100'],
  ]);
}

/** What is said and heard is written a little later. */
async function records(lab: BgpLab): Promise<void> {
  const file = join(lab.speaker('k8s-node01').directory, 'bgp', 'sessions.mrt');
  let difference = '';
  await eventually(
    () =>
      isRecorded(file).then(
        () => true,
        (cause: unknown) => {
          difference = String(cause);
          return false;
        },
      ),
    20_000,
    () => difference,
  );
}

async function isRecorded(file: string): Promise<void> {
  const lines = (await execOk(['bgpdump', '-m', file])).trim().split('\n');
  // BGP4MP|time|A|peer|AS|prefix|(path identifier|)AS path|origin|next hop|…
  const told = lines.map((line) => line.split('|')).filter((fields) => fields[2] === 'A');
  const seen = told.map(
    (fields) => `${fields[0]} ${fields[5]} ${fields[fields.indexOf('IGP') + 1]}`,
  );
  assert.deepEqual([...new Set(seen)].toSorted(), [
    'BGP4MP_AP 10.244.235.192/26 192.168.80.100',
    'BGP4MP_AP 10.244.236.0/26 192.168.80.100',
    'BGP4MP_LOCAL 10.244.85.192/26 192.168.80.101',
  ]);
  const ways = [...decodeMrt(readFileSync(file))].flatMap((record) =>
    record.kind === 'message' ? `${record.isLocal === true} ${record.message[18]}` : [],
  );
  // Both ends' OPEN, UPDATE and KEEPALIVE.
  for (const isLocal of [true, false]) {
    for (const type of [1, 2, 4]) assert.ok(ways.includes(`${isLocal} ${type}`), ways.join());
  }
}

function checkStory(lines: readonly string[]): void {
  const before = (first: string, second: string): void => {
    const [at, later] = [lines.indexOf(first), lines.indexOf(second)];
    assert.ok(
      at >= 0 && at < later,
      `${first} (${at}), ${second} (${later}):\n${lines.join('\n')}`,
    );
  };
  assert.equal(lines[0], 'initiation k8s-node01');
  for (const table of TABLES) {
    before(`${table} + 10.244.235.192/26`, `${table} - 10.244.235.192/26`);
  }
  before('peer-up 192.168.80.100', '192.168.80.100 pre-policy + 10.244.235.192/26');
  // 3: a NOTIFICATION of the peer; 6.2: shut down by its operator.
  before('192.168.80.100 pre-policy - 10.244.235.192/26', 'peer-down 192.168.80.100 3 6.2');
  assert.ok(lines.includes('loc-rib + 10.244.85.192/26'));
}

/** A line for everything that the collector has been told so far. */
function readStream(file: string): string[] {
  const framer = new BmpFramer();
  framer.push(readFileSync(file));
  const lines: string[] = [];
  for (let next = framer.next(); next !== undefined; next = framer.next()) {
    lines.push(...describe(next));
  }
  return lines;
}

function describe(message: BmpMessage): string[] {
  if (message.kind === 'initiation') return [`initiation ${message.name}`];
  if (message.kind === 'termination') return ['termination'];
  const { address, table } = message.peer;
  const who = address === undefined ? '' : `${formatAddress(address)} `;
  switch (message.kind) {
    case 'peer-up':
      assert.equal(readBgp(message.sentOpen).kind, 'open');
      assert.equal(readBgp(message.receivedOpen).kind, 'open');
      return [`peer-up ${who}`.trim()];
    case 'peer-down': {
      const reason = readBgp(message.data);
      const code = reason.kind === 'notification' ? `${reason.code}.${reason.subcode}` : '';
      return [`peer-down ${who}${message.reason} ${code}`];
    }
    case 'route-monitoring': {
      // BIRD tells all paths: its prefixes have identifiers, as both OPENs say.
      const addPath = address === undefined ? [] : ([4] as const);
      const update = readBgp(message.update, { ...DEFAULT_CONTEXT, addPath });
      if (update.kind !== 'update') return [];
      const line = (sign: string, list: typeof update.announced): string[] =>
        list.map(({ prefix }) => `${who}${table} ${sign} ${formatPrefix(prefix)}`);
      return [...line('-', update.withdrawn), ...line('+', update.announced)];
    }
    default:
      return [];
  }
}

function readBgp(bytes: Uint8Array, context: WireContext = DEFAULT_CONTEXT) {
  const framer = new MessageFramer();
  framer.push(bytes);
  const frame = framer.next();
  assert.ok(frame);
  return decodeMessage(frame, context);
}
