import { existsSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTACHED, communitiesOf, extendedOf } from './attached.ts';
import {
  Daemon,
  FAR_TWICE,
  inFullRuns,
  OUR_ASN,
  SEVERAL_MEDS,
  type SeenRoute,
  type Session,
} from './daemon.ts';

/** What it prints are orders. Its standard input does not block: cat would end at once. */
const WATCHER = `import sys, threading
def pass_on(path):
    while True:
        with open(path) as orders:
            for order in orders:
                print(order, end='', flush=True)
threading.Thread(target=pass_on, args=[sys.argv[2]], daemon=True).start()
with open(sys.argv[1], 'a', buffering=1) as heard:
    for line in sys.stdin:
        heard.write(line)
`;

/** ExaBGP writes what it hears, a JSON document per line, into a file. */
export class ExaBgp extends Daemon {
  readonly name = 'ExaBGP';
  readonly octet = 115;
  override readonly isRouter = false;
  override readonly partly = inFullRuns('100,000 routes');
  override readonly lacks: Readonly<Record<string, string>> = {
    BFD: 'it has no BFD',
    'route reflection by theirs': 'it has no table: nothing that it hears goes on to others',
    'route refresh of ours': 'version 4.2 fails on requests of who knows RFC 7313 (TypeError)',
    'shutdown communication of ours': 'version 4.2 fails on a text that it is told (TypeError)',
  };

  get #heard(): string {
    return join(this.ends.self.directory, 'heard.json');
  }

  get #orders(): string {
    return join(this.ends.self.directory, 'orders');
  }

  async start(session: Session): Promise<void> {
    await this.kill();
    for (const file of [this.#heard, this.#orders]) rmSync(file, { force: true });
    const { lab, self } = this.ends;
    await lab.exec(self.name, ['mkfifo', this.#orders]);
    await this.run({
      files: { 'exabgp.conf': this.#configuration(session), 'watcher.py': WATCHER },
      command: ['exabgp', join(self.directory, 'exabgp.conf')],
      env: {
        'exabgp.daemon.user': 'root',
        'exabgp.log.destination': 'stdout',
        'exabgp.api.ack': 'false',
        'exabgp.api.cli': 'false',
        'exabgp.tcp.bind': this.address(session.transport),
        'exabgp.tcp.port': '179',
      },
      isReady: async () => existsSync(this.#heard),
    });
  }

  /** It has no policy, and no table: what it has heard so far is forgotten. */
  override async adopt(): Promise<void> {
    truncateSync(this.#heard);
    await this.#order('announce route-refresh ipv4 unicast');
  }

  override async shutDown({ transport }: Session): Promise<string> {
    await this.#order(`neighbor ${this.ourAddressOf(transport)} teardown 2`);
    return 'Administrative Shutdown';
  }

  #order(text: string): Promise<void> {
    return writeFile(this.#orders, `${text}\n`);
  }

  async seen(_session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const found = new Map<string, SeenRoute>();
    const lines = existsSync(this.#heard) ? readFileSync(this.#heard, 'utf8').split('\n') : [];
    for (const line of lines.slice(0, -1)) {
      const { neighbor } = JSON.parse(line) as ExaBgpLine;
      const { attribute, announce, withdraw } = neighbor?.message?.update ?? {};
      for (const each of withdraw?.[`ipv${family} unicast`] ?? []) found.delete(keyOf(each));
      for (const [nextHop, nlri] of Object.entries(announce?.[`ipv${family} unicast`] ?? {})) {
        for (const each of nlri) {
          found.set(keyOf(each), readAttributes(each.nlri, nextHop, attribute ?? {}));
        }
      }
    }
    return [...found.values()];
  }

  #configuration(session: Session): string {
    const { asn, transport, families, password, routes = [] } = session;
    const { self } = this.ends;
    const { communities, extended, large, med, preference } = session.attached ?? ATTACHED;
    const attached = [
      `community [ ${communities.join(' ')} ]`,
      ...(extended.length === 0 ? [] : [`extended-community [ ${extendedWords(extended)} ]`]),
      `large-community [ ${large.join(' ')} ]`,
      `local-preference ${preference}`,
    ].join(' ');
    const nextHop = (family: 4 | 6): string =>
      session.hasExtendedNextHop ? this.address(transport) : this.address(family);
    const networks = families.flatMap((family) =>
      [this.announced(family), ...(family === 4 ? routes : [])].map(
        (prefix) => `    route ${prefix} next-hop ${nextHop(family)} ${attached} med ${med};`,
      ),
    );
    const several = session.hasAddPath
      ? SEVERAL_MEDS.map((own) => {
          const path = `path-information 0.0.0.${own}`;
          return `    route ${FAR_TWICE} next-hop ${this.address(4)} ${path} ${attached} med ${own};`;
        })
      : [];
    return `process watcher {
  run /usr/bin/python3 ${join(self.directory, 'watcher.py')} ${this.#heard} ${this.#orders};
  encoder json;
}
neighbor ${this.ourAddressOf(transport)} {
  router-id ${self.address};
  local-address ${this.address(transport)};
  local-as ${asn};
  peer-as ${OUR_ASN};
  hold-time 90;
${password === undefined ? '' : `  md5-password "${password}";\n`}${session.hasTtlSecurity ? '  outgoing-ttl 255;\n  incoming-ttl 255;\n' : ''}  capability {
    asn4 enable;
    route-refresh enable;
${session.hasGracefulRestart === false ? '' : '    graceful-restart 120;\n'}${session.hasExtendedNextHop ? '    nexthop enable;\n' : ''}${session.hasAddPath ? '    add-path send/receive;\n' : ''}  }
  family {
${families.map((family) => `    ipv${family} unicast;`).join('\n')}
  }
${session.hasExtendedNextHop ? '  nexthop {\n    ipv4 unicast ipv6;\n  }\n' : ''}  api {
    processes [ watcher ];
    receive { parsed; update; }
  }
  static {
${[...networks, ...several].join('\n')}
  }
}
`;
  }
}

function extendedWords(communities: readonly string[]): string {
  return communities
    .map((text) => text.replace(/^rt:/, 'target:').replace(/^ro:/, 'origin:'))
    .join(' ');
}

type ExaBgpNlri = readonly {
  readonly nlri: string;
  readonly 'path-information'?: string;
}[];
type ExaBgpAttributes = {
  readonly origin?: string;
  readonly 'as-path'?: readonly number[] | Readonly<Record<string, { value: readonly number[] }>>;
  readonly med?: number;
  readonly 'local-preference'?: number;
  readonly community?: readonly (readonly number[])[];
  readonly 'extended-community'?: readonly { readonly string: string }[];
  readonly 'large-community'?: readonly (readonly number[])[];
};
type ExaBgpLine = {
  readonly neighbor?: {
    readonly message?: {
      readonly update?: {
        readonly attribute?: ExaBgpAttributes;
        readonly announce?: Record<string, Record<string, ExaBgpNlri>>;
        readonly withdraw?: Record<string, ExaBgpNlri>;
      };
    };
  };
};

function keyOf({ nlri, 'path-information': path = '' }: ExaBgpNlri[number]): string {
  return `${nlri} ${path}`;
}

function readAttributes(prefix: string, nextHop: string, attribute: ExaBgpAttributes): SeenRoute {
  const path = attribute['as-path'] ?? [];
  const asns = Array.isArray(path) ? path : Object.values(path).flatMap(({ value }) => value);
  return {
    prefix,
    nextHop,
    asPath: asns.join(' '),
    origin: attribute.origin ?? '',
    communities: communitiesOf((attribute.community ?? []).map((each) => each.join(':'))),
    extendedCommunities: extendedOf(
      (attribute['extended-community'] ?? []).map(({ string }) => string),
    ),
    largeCommunities: (attribute['large-community'] ?? []).map((each) => each.join(':')).toSorted(),
    med: attribute.med,
    localPreference: attribute['local-preference'],
  };
}
