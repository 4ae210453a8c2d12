import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ATTACHED, communitiesOf, extendedOf } from './attached.ts';
import { Daemon, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';

export class OpenBgpd extends Daemon {
  readonly name = 'OpenBGPD';
  readonly octet = 114;
  override readonly lacks = {
    BFD: 'it has no BFD',
    'IPv6 over IPv4': 'it gives ::1 as the next hop of its own IPv6 routes there',
    'IPv4 over IPv6': 'version 7.7 knows no extended next hops (RFC 8950)',
    'graceful restart of theirs': 'it helps others, but does not claim to forward while it is away',
  };

  get #socket(): string {
    return join(this.ends.self.directory, 'bgpd.sock');
  }

  async start(session: Session): Promise<void> {
    const { self } = this.ends;
    // Its children shut themselves up in it; it is the home that the package gives their user.
    mkdirSync('/run/openbgpd', { recursive: true });
    await this.run({
      files: { 'bgpd.conf': this.#configuration(session) },
      command: ['/usr/sbin/bgpd', '-d', '-f', join(self.directory, 'bgpd.conf')],
      isReady: async () => (await this.#bgpctl('show')) !== '',
    });
  }

  override async refresh(session: Session): Promise<void> {
    await this.#bgpctl('neighbor', this.ourAddressOf(session.transport), 'refresh');
  }

  /** It takes routes before it has read that their peer is a client, and passes them on as they came. */
  override async askAgain(session: Session): Promise<void> {
    for (const peer of this.peersOf(session)) await this.#bgpctl('neighbor', peer, 'refresh');
  }

  override async shutDown(session: Session, message: string): Promise<void> {
    await this.#bgpctl('neighbor', this.ourAddressOf(session.transport), 'down', message);
  }

  async seen(session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const peer = this.ourAddressOf(session.transport);
    const text = await this.#bgpctl('-j', 'show', 'rib', 'in', 'detail', 'neighbor', peer);
    const { rib = [] } = JSON.parse(text || '{}') as { rib?: readonly OpenBgpdRoute[] };
    return rib.filter(({ prefix }) => prefix.includes(':') === (family === 6)).map(readRoute);
  }

  #bgpctl(...command: readonly string[]): Promise<string> {
    const { lab, self } = this.ends;
    return quietly(lab.exec(self.name, ['bgpctl', '-s', this.#socket, ...command]));
  }

  #configuration(session: Session): string {
    const { asn, transport, families, routes = [] } = session;
    const { self } = this.ends;
    const { communities, extended, large, med, preference } = session.attached ?? ATTACHED;
    const attached = [
      ...communities.map((each) => `community ${each}`),
      ...extended.map((each) => `ext-community ${extendedCommand(each)}`),
      ...large.map((each) => `large-community ${each}`),
      `med ${med} localpref ${preference}`,
    ].join(' ');
    const networks = families.flatMap((family) => [
      this.announced(family),
      ...(family === 4 ? routes : []),
    ]);
    return `AS ${asn}
router-id ${self.address}
socket "${this.#socket}"
listen on ${this.address(transport)}
fib-update no
connect-retry 1
${networks.map((network) => `network ${network} set { ${attached} }`).join('\n')}
${this.peersOf(session)
  .map((peer) => `neighbor ${peer} {\n  ${this.#options(session).join('\n  ')}\n}`)
  .join('\n')}
allow from any
allow to any
`;
  }

  #options({ transport, families, password, ...session }: Session): string[] {
    return [
      `remote-as ${OUR_ASN}`,
      `local-address ${this.address(transport)}`,
      `announce IPv4 ${families.includes(4) ? 'unicast' : 'none'}`,
      `announce IPv6 ${families.includes(6) ? 'unicast' : 'none'}`,
      'announce restart yes',
      'announce refresh yes',
      ...(password === undefined ? [] : [`tcp md5sig password "${password}"`]),
      ...(session.hasTtlSecurity ? ['ttl-security yes'] : []),
      ...(session.isReflector ? ['route-reflector'] : []),
      ...(session.hasAddPath ? ['announce add-path recv yes', 'announce add-path send all'] : []),
    ];
  }
}

/** "rt:64512:100" as its configuration has it. */
function extendedCommand(text: string): string {
  const [type, ...rest] = text.split(':');
  return `${type === 'rt' ? 'rt' : 'soo'} ${rest.join(':')}`;
}

type OpenBgpdRoute = {
  readonly prefix: string;
  readonly exit_nexthop?: string;
  readonly aspath?: string;
  readonly origin?: string;
  readonly metric?: number;
  readonly localpref?: number;
  readonly communities?: readonly string[];
  readonly extended_communities?: readonly string[];
  readonly large_communities?: readonly string[];
};

function readRoute(route: OpenBgpdRoute): SeenRoute {
  return {
    prefix: route.prefix,
    nextHop: route.exit_nexthop ?? '',
    asPath: route.aspath ?? '',
    origin: route.origin ?? '',
    communities: communitiesOf(route.communities ?? []),
    extendedCommunities: extendedOf(route.extended_communities ?? []),
    largeCommunities: (route.large_communities ?? []).toSorted(),
    med: route.metric,
    localPreference: route.localpref,
  };
}
