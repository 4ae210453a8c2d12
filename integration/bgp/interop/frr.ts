import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { ATTACHED, communitiesOf, extendedOf } from './attached.ts';
import { Daemon, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';

/** FRR's bgpd, alone where that is enough: nothing of it reaches the kernel then. BFD needs zebra and bfdd. */
export class Frr extends Daemon {
  readonly name = 'FRR';
  readonly octet = 112;

  async start(session: Session): Promise<void> {
    const isAlone = !session.hasBfd;
    if (!isAlone) await this.#admit();
    const bfdctl = this.#file('bfdd.ctl');
    const helpers = [
      { command: this.#command('zebra', this.#zebra), socket: this.#file('zserv.api') },
      {
        command: this.#command('bfdd', [...this.#zebra, '--bfdctl', bfdctl]),
        socket: this.#file('bfdd.vty'),
      },
    ];
    const empty = { 'zebra.conf': '\n', 'bfdd.conf': '\n' };
    await this.run({
      files: { 'bgpd.conf': this.#configuration(session), ...empty },
      helpers: isAlone ? [] : helpers,
      command: this.#command('bgpd', isAlone ? ['-Z', '-S'] : this.#zebra),
      isReady: async () => (await this.#show('show version')) !== '',
    });
  }

  /** zebra and bfdd give root up, for a user who has to get at their files. */
  async #admit(): Promise<void> {
    const { lab, self } = this.ends;
    chmodSync(lab.directory, 0o711);
    await lab.run(self.name, `chown -R frr ${self.directory}`);
  }

  get #zebra(): readonly string[] {
    return ['-z', this.#file('zserv.api')];
  }

  #file(name: string): string {
    return join(this.ends.self.directory, name);
  }

  #command(name: string, own: readonly string[]): string[] {
    const files = ['-f', this.#file(`${name}.conf`), '-i', this.#file(`${name}.pid`)];
    const sockets = ['--vty_socket', this.ends.self.directory, '-P', '0'];
    return [`/usr/lib/frr/${name}`, ...files, ...sockets, '--log', 'stdout', ...own];
  }

  /** It does not keep what it hears, so it asks for that again. Changed route maps wait for a reason to tell. */
  override async adopt({ transport, adds = {} }: Session): Promise<void> {
    for (const [name, community] of Object.entries(adds)) {
      await this.#configure(`route-map ${name} permit 10`, `set community ${community} additive`);
    }
    if (adds.heard !== undefined) await this.#show(`clear bgp ${this.ourAddressOf(transport)} in`);
  }

  override async shutDown(session: Session, message: string): Promise<string> {
    const peer = this.ourAddressOf(session.transport);
    await this.#configure(
      `router bgp ${session.asn}`,
      `neighbor ${peer} shutdown message ${message}`,
    );
    return message;
  }

  async #configure(...lines: readonly string[]): Promise<void> {
    const { lab, self } = this.ends;
    const words = ['configure terminal', ...lines].flatMap((line) => ['-c', line]);
    await lab.exec(self.name, ['vtysh', '--vty_socket', self.directory, '-d', 'bgpd', ...words]);
  }

  async seen(session: Session, family: 4 | 6): Promise<readonly SeenRoute[]> {
    const text = await this.#show(`show bgp ipv${family} unicast json detail`);
    const { routes = {} } = JSON.parse(text || '{}') as { routes?: Record<string, FrrPath[]> };
    const peer = this.ourAddressOf(session.transport);
    return Object.entries(routes).flatMap(([prefix, paths]) =>
      paths.filter((each) => each.peer?.peerId === peer).map((path) => readPath(prefix, path)),
    );
  }

  #show(command: string): Promise<string> {
    const { self, lab } = this.ends;
    return quietly(
      lab.exec(self.name, ['vtysh', '--vty_socket', self.directory, '-d', 'bgpd', '-c', command]),
    );
  }

  #configuration(session: Session): string {
    const { asn, transport, families, routes = [], attached = ATTACHED } = session;
    const peers = this.peersOf(session);
    const blocks = families.map((family) => {
      const networks = [this.announced(family), ...(family === 4 ? routes : [])];
      const ofPeers = peers.flatMap((peer) =>
        [
          'activate',
          'send-community all',
          'route-map heard in',
          `route-map ${family === 6 && transport === 4 ? 'sixth' : 'told'} out`,
          ...(session.isReflector ? ['route-reflector-client'] : []),
          ...(session.hasAddPath ? ['addpath-tx-all-paths'] : []),
        ].map((line) => `  neighbor ${peer} ${line}`),
      );
      return ` address-family ipv${family} unicast
${networks.map((network) => `  network ${network} route-map attached`).join('\n')}
${ofPeers.join('\n')}
 exit-address-family`;
    });
    // Route maps come first: one that is not there yet counts 5 s later.
    return `frr defaults traditional
bgp route-map delay-timer 0
route-map heard permit 10
route-map told permit 10
route-map attached permit 10
 set community ${attached.communities.join(' ')}
${attached.extended.map((text) => ` set extcommunity ${extendedCommand(text)}`).join('\n')}
 set large-community ${attached.large.join(' ')}
 set metric ${attached.med}
 set local-preference ${attached.preference}
!
route-map sixth permit 10
 set ipv6 next-hop global ${this.address(6)}
!
router bgp ${asn}
 bgp router-id ${this.ends.self.address}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp log-neighbor-changes
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time 120
 coalesce-time 50
${peers.flatMap((peer) => this.#options(session).map((line) => ` neighbor ${peer} ${line}`)).join('\n')}
${blocks.join('\n')}
`;
  }

  #options({ transport, password, ...session }: Session): string[] {
    return [
      `remote-as ${OUR_ASN}`,
      `update-source ${this.address(transport)}`,
      'timers connect 1',
      'advertisement-interval 0',
      session.hasTtlSecurity ? 'ttl-security hops 1' : 'disable-connected-check',
      ...(password === undefined ? [] : [`password ${password}`]),
      ...(session.hasExtendedNextHop ? ['capability extended-nexthop'] : []),
      ...(session.hasBfd ? ['bfd 3 300 300'] : []),
    ];
  }
}

/** "rt:64512:100" as its configuration has it. */
function extendedCommand(text: string): string {
  const [type, ...rest] = text.split(':');
  return `${type === 'rt' ? 'rt' : 'soo'} ${rest.join(':')}`;
}

type FrrPath = {
  readonly aspath?: { readonly string?: string };
  readonly origin?: string;
  readonly metric?: number;
  readonly locPrf?: number;
  readonly community?: { readonly string?: string };
  readonly extendedCommunity?: { readonly string?: string };
  readonly largeCommunity?: { readonly string?: string };
  readonly nexthops?: readonly { readonly ip?: string; readonly scope?: string }[];
  readonly peer?: { readonly peerId?: string };
};

function readPath(prefix: string, path: FrrPath): SeenRoute {
  const asPath = path.aspath?.string ?? '';
  return {
    prefix,
    nextHop: path.nexthops?.find(({ scope }) => scope !== 'link-local')?.ip ?? '',
    asPath: asPath === 'Local' ? '' : asPath,
    origin: path.origin ?? '',
    communities: communitiesOf(wordsOf(path.community)),
    extendedCommunities: extendedOf(wordsOf(path.extendedCommunity)),
    largeCommunities: wordsOf(path.largeCommunity).toSorted(),
    med: path.metric,
    localPreference: path.locPrf,
  };
}

function wordsOf(list: { readonly string?: string } | undefined): string[] {
  return (list?.string ?? '').split(' ').filter(Boolean);
}
