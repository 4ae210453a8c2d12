import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BirdVersion, birdProgram } from '../../cluster/foreign_node.ts';
import { ATTACHED, communitiesOf, extendedOf } from './attached.ts';
import { Daemon, type Ends, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';

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
            'IPv6 over IPv4': 'bird and bird6 know one family each',
            'IPv4 over IPv6': 'bird and bird6 know one family each',
          };
  }

  get #socket(): string {
    return join(this.ends.self.directory, 'bird.ctl');
  }

  async start(session: Session): Promise<void> {
    const { self } = this.ends;
    const file = join(self.directory, 'bird.conf');
    const program = await birdProgram(this.#version, session.transport);
    const foreground = this.#version === '2' ? '-f' : '-d';
    await this.run({
      files: { 'bird.conf': this.#configuration(session) },
      command: [program, foreground, '-R', '-c', file, '-s', this.#socket],
      isReady: async () => existsSync(this.#socket) && (await this.#birdc('show status')) !== '',
    });
  }

  /** It keeps nothing that its import filter has changed, so it asks for that again. */
  override async adopt(session: Session): Promise<void> {
    this.rewrite('bird.conf', this.#configuration(session));
    // Softly: routes are told as the new filter has them only when somebody asks.
    await this.#birdc(session.adds?.told === undefined ? 'configure' : 'configure soft');
  }

  override async shutDown(_session: Session, message: string): Promise<string> {
    await this.#birdc(`disable ours "${message}"`);
    return message;
  }

  async seen(_session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const text = await this.#birdc('show route all protocol ours');
    return text.split(/\n(?=[0-9a-f][0-9a-f.:]*\/\d+ )/).flatMap((part) => {
      const prefix = /^([0-9a-f][0-9a-f.:]*\/\d+) /m.exec(part)?.[1];
      const isMeant = prefix !== undefined && prefix.includes(':') === (family === 6);
      return isMeant ? [readPart(prefix, part)] : [];
    });
  }

  #birdc(command: string): Promise<string> {
    const { lab, self } = this.ends;
    const words = ['birdc', '-s', this.#socket, ...command.split(' ')];
    return quietly(lab.exec(self.name, words));
  }

  #configuration(session: Session): string {
    const { asn, transport, families, routes = [], attached = ATTACHED } = session;
    const { self } = this.ends;
    const preference = asn === OUR_ASN ? `bgp_local_pref = ${attached.preference};` : '';
    const { heard, told } = session.adds ?? {};
    const isOld = this.#version === '1.6';
    const channelOf = (family: 4 | 6): string => {
      const lines = [
        'import filter heard;',
        'export filter attached;',
        ...(family === transport ? [] : this.#foreignNextHop(session, family)),
        ...(session.hasAddPath && !isOld ? ['add paths on;'] : []),
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
filter heard {
  ${adding('bgp_community', heard)}
  accept;
}
filter attached {
  ${session.isReflector ? 'if source = RTS_BGP then accept;' : ''}
  if source != RTS_STATIC then reject;
  ${adding('bgp_community', ...attached.communities, told)}
  ${adding('bgp_ext_community', ...attached.extended)}
  ${adding('bgp_large_community', ...attached.large)}
  bgp_med = ${attached.med};
  ${preference}
  accept;
}
protocol device { scan time 2; }
${statics.join('\n')}
${session.hasBfd ? 'protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }' : ''}
${this.peersOf(session)
  .map(
    (peer, index) => `protocol bgp ${index === 0 ? 'ours' : 'far'} {
  local ${this.address(transport)} as ${asn};
  neighbor ${peer} as ${OUR_ASN};
  ${this.#options(session).join('\n  ')}
  ${families.map(channelOf).join('\n  ')}
}`,
  )
  .join('\n')}
`;
  }

  #options({ password, ...session }: Session): string[] {
    return [
      'direct;',
      'graceful restart;',
      'connect delay time 1; connect retry time 1; error wait time 1,2;',
      ...(password === undefined ? [] : [`password "${password}";`]),
      ...(session.hasTtlSecurity ? ['ttl security on;'] : []),
      ...(session.isReflector ? ['rr client;'] : []),
      ...(session.hasBfd ? ['bfd on;'] : []),
      ...(session.hasAddPath && this.#version === '1.6' ? ['add paths on;'] : []),
    ];
  }

  #foreignNextHop({ hasExtendedNextHop }: Session, family: 4 | 6): string[] {
    return hasExtendedNextHop
      ? ['extended next hop on;']
      : [`next hop address ${this.address(family)};`];
  }
}

/** Statements of a filter that add communities: "64512:100", "rt:64512:100", "64512:1:2". */
function adding(attribute: string, ...communities: readonly (string | undefined)[]): string {
  return communities
    .filter((community) => community !== undefined)
    .map((community) => `${attribute}.add((${community.replaceAll(':', ', ')}));`)
    .join(' ');
}

function readPart(prefix: string, part: string): SeenRoute {
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
    prefix,
    nextHop: of('next_hop')?.split(' ')[0] ?? '',
    asPath: of('as_path') ?? '',
    origin: of('origin') ?? '',
    communities: communitiesOf(listOf('community')),
    extendedCommunities: extendedOf(listOf('ext_community')),
    largeCommunities: listOf('large_community'),
    med: numberOf('med'),
    localPreference: numberOf('local_pref'),
  };
}
