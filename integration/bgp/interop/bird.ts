import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BirdVersion, birdProgram } from '../../cluster/foreign_node.ts';
import {
  ATTACHED,
  Daemon,
  type Ends,
  OUR_ASN,
  quietly,
  type SeenRoute,
  type Session,
} from './daemon.ts';

export class Bird extends Daemon {
  readonly name: string;
  readonly octet: number;
  override readonly lacks: Readonly<Record<string, string>>;
  readonly #version: BirdVersion;

  constructor(ends: Ends, version: BirdVersion) {
    super(ends);
    this.#version = version;
    this.name = `BIRD ${version}`;
    this.octet = version === '2' ? 110 : 111;
    this.lacks =
      version === '2'
        ? {}
        : {
            IPv6: 'IPv6 is a daemon of its own there (bird6)',
            'IPv6 over IPv4': 'IPv6 is a daemon of its own there (bird6)',
            'IPv4 over IPv6': 'IPv6 is a daemon of its own there (bird6)',
            'shutdown communication': 'the version is older than RFC 8203',
          };
  }

  get #socket(): string {
    return join(this.ends.self.directory, 'bird.ctl');
  }

  async start(session: Session): Promise<void> {
    const { self } = this.ends;
    const file = join(self.directory, 'bird.conf');
    const program = await birdProgram(this.#version);
    const foreground = this.#version === '2' ? '-f' : '-d';
    await this.run({
      files: { 'bird.conf': this.#configuration(session) },
      command: [program, foreground, '-R', '-c', file, '-s', this.#socket],
      isReady: async () => existsSync(this.#socket) && (await this.#birdc('show status')) !== '',
    });
  }

  override async refresh(): Promise<void> {
    await this.#birdc('reload in ours');
  }

  override async shutDown(_session: Session, message: string): Promise<void> {
    await this.#birdc(`disable ours "${message}"`);
  }

  async seen(_session: Session, family: 4 | 6): Promise<ReadonlyMap<string, SeenRoute>> {
    const routes = new Map<string, SeenRoute>();
    const text = await this.#birdc('show route all protocol ours');
    for (const part of text.split(/\n(?=[0-9a-f][0-9a-f.:]*\/\d+ )/)) {
      const prefix = /^([0-9a-f][0-9a-f.:]*\/\d+) /m.exec(part)?.[1];
      if (prefix !== undefined && prefix.includes(':') === (family === 6)) {
        routes.set(prefix, readPart(part));
      }
    }
    return routes;
  }

  #birdc(command: string): Promise<string> {
    const { lab, self } = this.ends;
    const words = ['birdc', '-s', this.#socket, ...command.split(' ')];
    return quietly(lab.exec(self.name, words));
  }

  #configuration(session: Session): string {
    const { asn, transport, families, password, routes = [] } = session;
    const { self } = this.ends;
    const [high, low] = ATTACHED.community.split(':');
    const large = ATTACHED.large.replaceAll(':', ', ');
    const preference = asn === OUR_ASN ? `bgp_local_pref = ${ATTACHED.preference};` : '';
    const isOld = this.#version === '1.6';
    const channelOf = (family: 4 | 6): string => {
      const lines = [
        'import all;',
        'export filter attached;',
        ...(family === transport ? [] : this.#foreignNextHop(session, family)),
      ].join(' ');
      return isOld ? lines : `ipv${family} { ${lines} };`;
    };
    const statics = families.map((family) => {
      const networks = [this.announced(family), ...(family === 4 ? routes : [])];
      const lines = networks.map((network) => `route ${network} blackhole;`).join(' ');
      return `protocol static static${family} { ${isOld ? '' : `ipv${family}; `}${lines} }`;
    });
    return `router id ${self.address};
log stderr all;
filter attached {
  if source != RTS_STATIC then reject;
  bgp_community.add((${high}, ${low}));
  bgp_large_community.add((${large}));
  bgp_med = ${ATTACHED.med};
  ${preference}
  accept;
}
protocol device { scan time 2; }
${statics.join('\n')}
protocol bgp ours {
  local ${this.address(transport)} as ${asn};
  neighbor ${this.ourAddressOf(transport)} as ${OUR_ASN};
  graceful restart;
  connect delay time 1; connect retry time 1; error wait time 1,2;
  ${password === undefined ? '' : `password "${password}";`}
  ${session.hasTtlSecurity ? 'ttl security on;' : ''}
  ${families.map(channelOf).join('\n  ')}
}
`;
  }

  #foreignNextHop({ hasExtendedNextHop }: Session, family: 4 | 6): string[] {
    return hasExtendedNextHop
      ? ['extended next hop on;']
      : [`next hop address ${this.address(family)};`];
  }
}

function readPart(part: string): SeenRoute {
  const of = (name: string): string | undefined =>
    new RegExp(`BGP\\.${name}: (.*)$`, 'm').exec(part)?.[1]?.trim();
  const numberOf = (name: string): number | undefined => {
    const text = of(name);
    return text === undefined ? undefined : Number(text);
  };
  const listOf = (name: string): string[] =>
    Array.from((of(name) ?? '').matchAll(/\(([^)]*)\)/g), ([, inner = '']) =>
      inner.replaceAll(/, ?/g, ':'),
    ).toSorted();
  return {
    nextHop: of('next_hop')?.split(' ')[0] ?? '',
    asPath: of('as_path') ?? '',
    origin: of('origin') ?? '',
    communities: listOf('community'),
    largeCommunities: listOf('large_community'),
    med: numberOf('med'),
    localPreference: numberOf('local_pref'),
  };
}
