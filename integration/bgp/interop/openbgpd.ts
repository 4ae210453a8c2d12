import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ATTACHED, communitiesOf, extendedOf } from './attached.ts';
import { Daemon, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';

export class OpenBgpd extends Daemon {
  readonly name = 'OpenBGPD';
  readonly octet = 114;
  override readonly lacks = {
    BFD: 'it has no BFD',
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

  /** It keeps what it hears and needs nothing again; asking is an order of its own. */
  override async adopt(session: Session): Promise<void> {
    this.rewrite('bgpd.conf', this.#configuration(session));
    await this.#bgpctl('reload');
    if (session.adds?.heard !== undefined) await this.askAgain(session);
  }

  override async refreshes(session: Session): Promise<{ sent: number; received: number }> {
    const { sent, received } = (await this.#neighbour(session))?.stats?.message ?? {};
    return { sent: sent?.route_refresh ?? 0, received: received?.route_refresh ?? 0 };
  }

  /** It takes routes before it has read that their peer is a client, and passes them on as they came. */
  override async askAgain(session: Session): Promise<void> {
    for (const peer of this.peersOf(session)) await this.#bgpctl('neighbor', peer, 'refresh');
  }

  override async shutDown(session: Session, message: string): Promise<string> {
    await this.#bgpctl('neighbor', this.ourAddressOf(session.transport), 'down', message);
    return message;
  }

  override async reasonsHeard(session: Session): Promise<string> {
    return (await this.#neighbour(session))?.last_shutdown_reason ?? '';
  }

  async #neighbour(session: Session): Promise<OpenBgpdNeighbour | undefined> {
    const peer = this.ourAddressOf(session.transport);
    const text = await this.#bgpctl('-j', 'show', 'neighbor', peer);
    return (JSON.parse(text || '{}') as { neighbors?: readonly OpenBgpdNeighbour[] })
      .neighbors?.[0];
  }

  async seen(session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const peer = this.ourAddressOf(session.transport);
    const text = await this.#bgpctl('-j', 'show', 'rib', 'detail', 'neighbor', peer);
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
    const { heard, told } = session.adds ?? {};
    const policy = [
      ...(heard === undefined ? [] : [`from any set community ${heard}`]),
      ...(told === undefined ? [] : [`to any set community ${told}`]),
      ...(isForeign(session) ? [`to any inet6 set nexthop ${this.address(6)}`] : []),
      ...(isForeign(session) ? ['to any inet6 set nexthop no-modify'] : []),
    ];
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
${policy.map((rule) => `match ${rule}`).join('\n')}
`;
  }

  #options({ password, ...session }: Session): string[] {
    const { transport, families } = session;
    return [
      `remote-as ${OUR_ASN}`,
      `local-address ${this.address(transport)}`,
      `announce IPv4 ${families.includes(4) ? 'unicast' : 'none'}`,
      `announce IPv6 ${families.includes(6) ? 'unicast' : 'none'}`,
      'announce restart yes',
      'announce refresh yes',
      ...(isForeign(session) ? ['multihop 2'] : []),
      ...(password === undefined ? [] : [`tcp md5sig password "${password}"`]),
      ...(session.hasTtlSecurity ? ['ttl-security yes'] : []),
      ...(session.isReflector ? ['route-reflector'] : []),
      ...(session.hasAddPath ? ['announce add-path recv yes', 'announce add-path send all'] : []),
    ];
  }
}

/** Another next hop than its own end of the session: bgpd.conf(5) has it for multihop sessions alone. */
function isForeign({ transport, families }: Session): boolean {
  return transport === 4 && families.includes(6);
}

/** "rt:64512:100" as its configuration has it. */
function extendedCommand(text: string): string {
  const [type, ...rest] = text.split(':');
  return `${type === 'rt' ? 'rt' : 'soo'} ${rest.join(':')}`;
}

type OpenBgpdMessages = { readonly route_refresh?: number };
type OpenBgpdNeighbour = {
  readonly last_shutdown_reason?: string;
  readonly stats?: {
    readonly message?: { readonly sent?: OpenBgpdMessages; readonly received?: OpenBgpdMessages };
  };
};
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
