// What an operator looks at once the cluster runs.
import {
  eventually,
  type Lab,
  type NodePlan,
  type PingResult,
  POOL,
  type Pod,
  ping,
} from '../lab/mod.ts';
import { articleNodes, blockRoute, firstPodOrdinal, POD_MTU } from './checks.ts';
import type { Screen } from './screen.ts';
import { capture, WIRE } from './wire.ts';

export async function showPods(lab: Lab, screen: Screen, pods: readonly Pod[]): Promise<void> {
  screen.title('3. What an operator sees');
  const listing = await lab.calicoctlOk(['get', 'workloadendpoint', '-n', 'default']);
  screen.command('control', 'calicoctl get workloadendpoint', listing);
  screen.check(
    'every pod is listed with its node and address',
    pods.every(({ ip }) => listing.includes(ip)),
  );

  const [pod] = pods as [Pod];
  const address = (await lab.podExec(pod, ['ip', 'address', 'show', 'dev', 'eth0'])).stdout;
  const routes = (await lab.podExec(pod, ['ip', 'route'])).stdout;
  screen.command(pod.name, 'ip address show dev eth0', address);
  screen.command(pod.name, 'ip route', routes);
  screen.check(
    `eth0 has ${pod.ip}/32 and MTU ${POD_MTU[lab.topology.mode]}`,
    address.includes(`inet ${pod.ip}/32`) && address.includes(`mtu ${POD_MTU[lab.topology.mode]} `),
  );
  screen.check(
    'default via 169.254.1.1, which is on link',
    /default via 169\.254\.1\.1 dev eth0/.test(routes) &&
      /169\.254\.1\.1 dev eth0 scope link/.test(routes),
  );
  await ping(pod.netns, pods[1]?.ip ?? pod.ip);
  const neighbours = (await lab.podExec(pod, ['ip', 'neigh', 'show', 'dev', 'eth0'])).stdout;
  screen.check(
    'the host end is ee:ee:ee:ee:ee:ee',
    neighbours.includes('ee:ee:ee:ee:ee:ee'),
    neighbours,
  );
}

/** The routes of the last node; in crosssubnet also those of one that has a peer on its own subnet. */
export async function showRoutes(lab: Lab, screen: Screen, pods: readonly Pod[]): Promise<void> {
  const nodes = articleNodes(lab);
  const shown = lab.topology.mode === 'crosssubnet' ? nodes.slice(-2) : nodes.slice(-1);
  for (const here of shown) await showRoutesOf(lab, screen, here, pods);
}

async function showRoutesOf(
  lab: Lab,
  screen: Screen,
  here: NodePlan,
  pods: readonly Pod[],
): Promise<void> {
  const expectedRoutes = articleNodes(lab)
    .filter((there) => there !== here)
    .map((there) => ({ there, route: blockRoute(lab.topology.mode, here, there) }));
  const own = `blackhole ${here.block} proto bird`;
  const read = async (): Promise<string> => (await lab.exec(here.name, ['ip', 'route'])).stdout;
  let text = '';
  await eventually(
    async () => {
      text = await read();
      return expectedRoutes.every(({ route }) => route.test(text)) && text.includes(own);
    },
    30_000,
    () => `the routes of ${here.name} do not arrive`,
  ).catch(() => {}); // the checks below say which
  screen.command(here.name, 'ip route', text);
  for (const { there, route } of expectedRoutes) {
    const claim = `${there.block} leads to ${there.name}`;
    screen.check(claim, route.test(text), `expected ${route}`);
  }
  screen.check(`its own block ${here.block} is a blackhole but for its pods`, text.includes(own));
  checkLocalPods(lab, screen, here, pods, text);
}

function checkLocalPods(
  lab: Lab,
  screen: Screen,
  here: NodePlan,
  pods: readonly Pod[],
  text: string,
): void {
  const local = pods.filter(({ node }) => node === here);
  for (const { ip, result } of local) {
    const route = `${ip} dev ${result.interfaces[0]?.name ?? ''} scope link`;
    screen.check(route, text.includes(route));
  }
  const first = firstPodOrdinal(lab.topology.mode);
  const expected = local.map(
    (_, index) => `${here.block?.replace(/\d+\/26$/, '')}${first + index}`,
  );
  screen.check(
    `its pods have the article's addresses ${expected.join(' and ')}`,
    local.every(({ ip }) => expected.includes(ip)),
  );
}

export async function showStatus(lab: Lab, screen: Screen): Promise<void> {
  const [first] = lab.topology.nodes;
  if (first === undefined) return;
  const others = lab.topology.nodes.length - 1;
  let status = '';
  await eventually(
    async () => {
      status = (await lab.calicoctl(['node', 'status'], { node: first.name })).stdout;
      return status.split('Established').length - 1 === others;
    },
    30_000,
    () => 'sessions',
  ).catch(() => {});
  screen.command(first.name, 'calicoctl node status', status);
  screen.check(
    `${others} sessions are Established`,
    status.split('Established').length - 1 === others,
  );

  const pools = await lab.calicoctlOk(['get', 'ippool', '-o', 'wide']);
  screen.command('control', 'calicoctl get ippool -o wide', pools);
  screen.check('the pool is there', pools.includes(POOL.name) && pools.includes(POOL.cidr));

  const ipam = await lab.calicoctlOk(['ipam', 'show', '--show-blocks']);
  screen.command('control', 'calicoctl ipam show --show-blocks', ipam);
  screen.check(
    "the nodes' blocks are listed",
    articleNodes(lab).every(({ block }) => ipam.includes(block ?? '')),
  );
}

export async function showReachability(
  lab: Lab,
  screen: Screen,
  pods: readonly Pod[],
): Promise<void> {
  const sources = [
    ...pods.map(({ name, netns, ip }) => ({ name: name.slice(-5), namespace: netns, ip })),
    ...lab.topology.nodes.map(({ name, namespace }) => ({ name, namespace, ip: '' })),
  ];
  const rows: string[] = [
    ['from \\ to'.padEnd(14), ...pods.map(({ ip }) => ip.padEnd(16))].join(''),
  ];
  let lost = 0;
  let total = 0;
  for (const source of sources) {
    const cells = await Promise.all(
      pods.map(async ({ ip }) => {
        if (ip === source.ip) return '-';
        const { received, averageMs } = await pingTwice(source.namespace, ip);
        total++;
        if (received < 2) lost++;
        return received === 2 ? `${averageMs?.toFixed(2)} ms` : `${2 - received} of 2 lost`;
      }),
    );
    rows.push([source.name.padEnd(14), ...cells.map((cell) => cell.padEnd(16))].join(''));
  }
  screen.command('', 'ping, every pod and node to every pod', rows.join('\n'));
  screen.check(`${total - lost} of ${total} pairs answer`, lost === 0);
}

/** Again while an answer is missing: routes come to every node at its own time. */
async function pingTwice(namespace: string, address: string): Promise<PingResult> {
  let result = { sent: 2, received: 0, averageMs: undefined } as PingResult;
  await eventually(
    async () => {
      result = await ping(namespace, address, { count: 2, timeoutSeconds: 3 });
      return result.received === 2;
    },
    5_000,
    () => `${address} does not answer`,
  ).catch(() => {}); // the table says so
  return result;
}

export async function showWire(lab: Lab, screen: Screen, pods: readonly Pod[]): Promise<void> {
  screen.title('5. On the wire');
  const to = pods.find(({ node }) => node !== pods[0]?.node);
  const [from] = pods;
  if (from === undefined || to === undefined) return;
  const { command, output } = await capture(lab, from, to);
  const { shows, words } = WIRE[lab.topology.mode];
  screen.command(to.node.name, command, output);
  screen.check(`the uplink carries ${words}`, shows.test(output));
}
