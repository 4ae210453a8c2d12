import assert from 'node:assert/strict';
import { constants, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../lab/wait.ts';
import { ATTACHED, type Attached, communitiesOf, extendedOf } from './attached.ts';
import { Daemon, inFullRuns, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';
import { attachedRoute, mrtRecords } from './tables.ts';

/** Of a busy machine, for the largest of its tables. */
const INJECT_MS = 600_000;

export class GoBgp extends Daemon {
  readonly name = 'GoBGP';
  readonly octet = 113;
  /** Its command knows none of them for plain routes. */
  override readonly attachesExtended = false;
  override readonly partly = inFullRuns('100,000 routes');
  override readonly lacks: Readonly<Record<string, string>> = {
    BFD: 'version 3.10 has no BFD',
    'route refresh of theirs': 'it keeps all that it hears, and never asks for it again',
  };

  async start(session: Session): Promise<void> {
    const { self } = this.ends;
    const file = join(self.directory, 'gobgp.toml');
    await this.run({
      files: { 'gobgp.toml': this.#configuration(session) },
      command: ['gobgpd', '-f', file, '--api-hosts', '127.0.0.1:50051', '--pprof-disable'],
      isReady: async () => (await this.#gobgp('global')) !== '',
      afterStart: () => this.#announce(session),
    });
  }

  /** It tells what a new policy makes of its routes only when somebody asks. */
  override async adopt({ adds = {} }: Session): Promise<void> {
    const orders = [
      'policy statement add told',
      `policy statement told add action community add ${adds.told}`,
      'policy statement told add action accept',
      'policy add tells told',
      'global policy export add tells default accept',
    ];
    for (const order of orders) await this.#gobgp(...order.split(' '));
  }

  override async shutDown({ transport }: Session, message: string): Promise<string> {
    const peer = this.ourAddressOf(transport);
    await this.#gobgp('neighbor', peer, 'shutdown', '--reason', message);
    return message;
  }

  async seen(session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const peer = this.ourAddressOf(session.transport);
    const text = await this.#gobgp('neighbor', peer, 'adj-in', '-j', '-a', `ipv${family}`);
    const table = JSON.parse(text || '{}') as Record<string, readonly GoBgpPath[]>;
    return Object.entries(table).flatMap(([prefix, paths]) =>
      paths.map((path) => readPath(prefix, path)),
    );
  }

  async #announce(session: Session): Promise<void> {
    const { families, transport, routes = [], attached = ATTACHED } = session;
    const { communities, large, med, preference } = attached;
    const attributes = `origin igp community ${communities.join()} large-community ${large.join()} med ${med} local-pref ${preference}`;
    for (const family of families) {
      // Of the session's own family it knows the next hop, and for IPv4 over IPv6 too.
      const nextHop = family === 6 && transport === 4 ? ` nexthop ${this.address(6)}` : '';
      const route = `${this.announced(family)} ${attributes}${nextHop} -a ipv${family}`;
      await this.#gobgp('global', 'rib', 'add', ...route.split(' '));
    }
    const last = routes.at(-1);
    if (last !== undefined) await this.#inject(routes, attached, last);
  }

  /** A table at once. The command goes before all that it sends is taken, unless its file has not ended. */
  async #inject(routes: readonly string[], attached: Attached, last: string): Promise<void> {
    const { lab, self } = this.ends;
    const fifo = join(self.directory, 'routes.mrt');
    rmSync(fifo, { force: true });
    await lab.exec(self.name, ['mkfifo', fifo]);
    const table = routes.map((prefix) => attachedRoute(prefix, attached));
    // We count as one who reads, so a write that waits for somebody to read could wait for ever.
    const file = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const command = ['gobgp', 'mrt', 'inject', 'global', fifo];
    const injected = lab.exec(self.name, command, { timeoutMs: INJECT_MS });
    const over = new AbortController();
    const told = async (): Promise<void> => {
      await feed(file, mrtRecords(table, this.address(4)), over.signal);
      await eventually(
        async () => (await this.#gobgp('global', 'rib', last)).includes(last),
        20_000,
        () => `GoBGP does not take ${last}`,
        () => over.signal.aborted,
      );
    };
    try {
      const tooEarly = injected.then(() => assert.fail('gobgp has ended before it had read all'));
      await Promise.race([told(), tooEarly]);
    } finally {
      over.abort();
      await file.close();
    }
    await injected;
  }

  #gobgp(...command: readonly string[]): Promise<string> {
    return quietly(this.ends.lab.exec(this.ends.self.name, ['gobgp', ...command]));
  }

  #configuration(session: Session): string {
    const { asn, families } = session;
    const { self } = this.ends;
    const channels = families.map(
      (family) => `  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv${family}-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
${session.hasAddPath ? '    [neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8\n' : ''}`,
    );
    return `[global.config]
  as = ${asn}
  router-id = "${self.address}"
  port = 179
  local-address-list = ["${self.address}", "fd00:80::${this.octet}"]
${this.peersOf(session)
  .map((peer) => this.#neighbour(peer, session) + channels.join(''))
  .join('')}`;
  }

  #neighbour(peer: string, { transport, password, ...session }: Session): string {
    return `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${peer}"
    peer-as = ${OUR_ASN}
${password === undefined ? '' : `    auth-password = "${password}"\n`}  [neighbors.transport.config]
    local-address = "${this.address(transport)}"
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 120
${session.hasTtlSecurity ? '  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255\n' : ''}${session.isReflector ? `  [neighbors.route-reflector.config]\n    route-reflector-client = true\n    route-reflector-cluster-id = "${this.ends.self.address}"\n` : ''}`;
  }
}

/** Writes into a FIFO as fast as it is read; each record at once, because gobgp cannot go on with half of one. */
async function feed(
  file: FileHandle,
  records: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  for (const record of records) {
    while (!(await hasRoomFor(file, record))) await sleep(1, undefined, { signal });
  }
}

async function hasRoomFor(file: FileHandle, record: Uint8Array): Promise<boolean> {
  try {
    await file.write(record);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw cause;
  }
}

type GoBgpPath = {
  readonly attrs: readonly {
    readonly type: number;
    readonly value?: number;
    readonly nexthop?: string;
    readonly metric?: number;
    readonly as_paths?: readonly { readonly asns: readonly number[] }[];
    readonly communities?: readonly number[];
  }[];
};

const ORIGINS = ['IGP', 'EGP', 'incomplete'];

function readPath(prefix: string, { attrs }: GoBgpPath): SeenRoute {
  const of = (type: number) => attrs.find((each) => each.type === type);
  // Attribute types of RFC 4271, 1997, 4760 and 8092.
  const large = of(32)?.value as unknown as
    | readonly { ASN: number; LocalData1: number; LocalData2: number }[]
    | undefined;
  const extended = of(16)?.value as unknown as
    | readonly { subtype: number; value: string }[]
    | undefined;
  return {
    prefix,
    nextHop: (of(3) ?? of(14))?.nexthop ?? '',
    asPath: (of(2)?.as_paths ?? []).flatMap(({ asns }) => asns).join(' '),
    origin: ORIGINS[of(1)?.value ?? 2] ?? '',
    communities: communitiesOf(
      (of(8)?.communities ?? []).map((each) => `${each >>> 16}:${each & 0xffff}`),
    ),
    extendedCommunities: extendedOf(
      (extended ?? []).map(({ subtype, value }) => `${subtype === 2 ? 'rt' : 'ro'}:${value}`),
    ),
    largeCommunities: (large ?? [])
      .map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`)
      .toSorted(),
    med: of(4)?.metric,
    localPreference: of(5)?.value,
  };
}
