// Why, counters and dry runs on a cluster, beside what the connections themselves find.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { workloadEndpointName } from '@calico/model';
import { eventually, Lab, type Pod, WAIT_FLAGS } from '../lab/mod.ts';
import { Place } from './node_fixture.ts';

let lab: Lab;
let client: Pod;
let web: Pod;
/** What runs in the two pods. */
const places: Place[] = [];

before(async () => {
  lab = await Lab.start({ mode: 'bgp', nodes: 2 });
  await lab.configure();
  const [first, second] = lab.topology.nodes;
  client = await lab.addPod('client', first?.name ?? '', { labels: { role: 'db' } });
  web = await lab.addPod('web', second?.name ?? '', { labels: { role: 'web' } });
  places.push(...[client, web].map(({ netns, ip }) => new Place(netns, ip, '')));
  assert.equal(await places[1]?.listen('tcp', 80), 'ok');
  await eventually(connects, 20_000, () => 'the client does not reach the web pod');
});
after(async () => {
  for (const place of places) place.stop();
  await lab?.stop();
});

async function connects(): Promise<boolean> {
  const result = await places[0]?.tcp(web.ip, 80);
  return result?.startsWith('ok') ?? false;
}

async function apply(manifest: string): Promise<void> {
  await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], { input: manifest });
}

type Why = {
  readonly allowed: boolean;
  readonly nodes: readonly { node: string; allowed: boolean; because: string }[];
};

/** What calicoctl says; the kernel must say the same. */
async function why(): Promise<{ text: string; answer: Why }> {
  const question = ['why', 'default/client', 'default/web', '--port', '80'];
  const answer = JSON.parse(await lab.calicoctlOk([...question, '-o', 'json'])) as Why;
  assert.equal(await connects(), answer.allowed);
  return { text: await lab.calicoctlOk(question), answer };
}

const policy = (spec: string): string => `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: allow-web, namespace: default}
spec: ${spec}
`;
const FRONTEND = policy(`{selector: "role == 'web'", ingress: [{action: Allow, protocol: TCP,
  source: {selector: "role == 'frontend'"}, destination: {ports: [80]}}]}`);
const DENY_DB = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: no-databases}
spec: {order: 1, selector: "role == 'web'", ingress: [{action: Deny, source: {selector: "role == 'db'"}}]}
`;

test('an allowed connection', async (t) => {
  const { text, answer } = await why();
  t.diagnostic(text);
  assert.equal(answer.allowed, true);
  assert.deepEqual(
    answer.nodes.map(({ node }) => node),
    [client.node.name, web.node.name],
  );
  assert.match(text, /egress of default\/client: allowed by Profile kns.default rule 1 Allow/);
});

/** A node that is busy may begin to watch when the packet has passed. */
async function traced(outcome: RegExp): Promise<string> {
  let text = '';
  await eventually(
    async () => {
      text = await lab.calicoctlOk(['why', 'default/client', 'default/web', '--trace']);
      return outcome.test(text) && text.match(/^On .*, the packet met/gm)?.length === 2;
    },
    10_000,
    () => text,
  );
  return text;
}

test('a trace shows the rules that the packet meets on both nodes', async (t) => {
  const text = await traced(/The kernel let it pass/);
  t.diagnostic(text);
  const [, ...nodes] = text.split(/^On (?=.*, the packet met)/m);
  assert.equal(nodes.length, 2);
  assert.match(
    nodes[0] ?? '',
    /profile-out\/kns.default +Profile kns.default egress rule 1 Allow +accept/,
  );
  assert.match(
    nodes[1] ?? '',
    /profile-in\/kns.default +Profile kns.default ingress rule 1 Allow +accept/,
  );
  assert.match(text, /The kernel let it pass; predicted: allowed/);
});

test('a dry run says who would be closed out and which connection would be cut', async (t) => {
  const open = { op: 'open', address: web.ip, port: 80, timeoutMs: 5_000 } as const;
  assert.equal(await places[0]?.ask(open), '0');
  let text = '';
  await eventually(
    async () => {
      text = await lab.calicoctlOk(['apply', '--dry-run', '-f', '-'], { input: FRONTEND });
      return text.includes('would be cut');
    },
    20_000,
    () => text,
  );
  t.diagnostic(text);
  assert.match(text, /default\/client +default\/web +everything +allowed +denied/);
  assert.match(text, new RegExp(`${web.node.name} +default/client +default/web +TCP \\d+ -> 80`));
  assert.equal((await why()).answer.allowed, true);
});

test('what the dry run named is cut when the policy is in force', async () => {
  const exchange = { op: 'exchange', connection: 0, timeoutMs: 1_000 } as const;
  assert.match((await places[0]?.ask(exchange)) ?? '', /^ok/);
  await apply(FRONTEND);
  assert.equal(await places[0]?.ask(exchange), 'timeout');
});

test('a default deny names the nearest rule, and the rule is right', async (t) => {
  await apply(FRONTEND);
  const { text, answer } = await why();
  t.diagnostic(text);
  assert.equal(answer.allowed, false);
  assert.match(
    text,
    /NetworkPolicy default\/allow-web rule 1 would allow it if label role of default\/client were 'frontend'/,
  );
  const endpoint = workloadEndpointName({
    node: client.node.name,
    orchestrator: 'k8s',
    pod: 'client',
    endpoint: 'eth0',
  });
  await lab.calicoctlOk(['label', 'workloadendpoint', endpoint, 'role=frontend', '--overwrite']);
  await eventually(connects, 20_000, () => 'the label of the client does not open the web pod');
  assert.equal((await why()).answer.allowed, true);
  await lab.calicoctlOk(['label', 'workloadendpoint', endpoint, 'role=db', '--overwrite']);
  await eventually(
    async () => !(await connects()),
    20_000,
    () => 'the label of the client does not close the web pod',
  );
});

test('a rule that denies is named, and counted on its node', async (t) => {
  await apply(DENY_DB);
  const { text, answer } = await why();
  t.diagnostic(text);
  assert.equal(answer.nodes[1]?.because, 'GlobalNetworkPolicy no-databases rule 1 Deny');
  const followed = await traced(/The kernel dropped it/);
  t.diagnostic(followed);
  assert.match(followed, /GlobalNetworkPolicy no-databases ingress rule 1 Deny +drop/);
  assert.match(followed, /The kernel dropped it; predicted: denied/);
  const stats = await lab.calicoctlOk(['policy', 'stats']);
  t.diagnostic(stats);
  assert.match(stats, /GlobalNetworkPolicy +no-databases +ingress +1 +Deny +[1-9]/);
  assert.match(stats, /NetworkPolicy +default\/allow-web +ingress +1 +Allow +[1-9]/);
  const elsewhere = ['policy', 'stats', 'no-databases', '--node', client.node.name];
  assert.equal(await lab.calicoctlOk(elsewhere), 'No counters found.\n');
});

test('what is denied is said in the log of felix, with names', async (t) => {
  await apply(`apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {deniedLog: Enabled}
`);
  const felix = lab.process('felix', web.node.name);
  let line = '';
  await eventually(
    async () => {
      assert.equal(await connects(), false);
      line =
        felix
          .log()
          .split('\n')
          .findLast((each) => isDenied(each)) ?? '';
      return line !== '';
    },
    20_000,
    () => 'felix has logged nothing',
  );
  t.diagnostic(line);
  const { from, to, port, by } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(
    [from, to, port, by],
    [
      `default/client (${client.ip})`,
      `default/web (${web.ip})`,
      80,
      'GlobalNetworkPolicy no-databases ingress rule 1 Deny',
    ],
  );
});

/** Not what the kernel sends to all by itself. */
function isDenied(line: string): boolean {
  return line.includes('denied by policy') && line.includes(`"to":"default/web (${web.ip})"`);
}

const slice = (service: string, address: string): string => `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${service}-1, namespace: default, labels: {kubernetes.io/service-name: ${service}}}
addressType: IPv4
endpoints: [{addresses: [${address}], conditions: {ready: true}}]
ports: [{name: http, protocol: TCP, port: 80}]
`;

test('services of Kubernetes at both ends; what is staged says what it would change', async (t) => {
  await apply(`apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: clients}
spec: {order: 0, selector: "role == 'web'", ingress: [{action: Allow, source: {services: {name: clients, namespace: default}}}]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: to-web, namespace: default}
spec: {selector: "role == 'db'", egress: [{action: Allow, destination: {services: {name: web}}}]}
${slice('clients', client.ip)}${slice('web', '192.0.2.1')}`);
  const denied = await why();
  t.diagnostic(denied.text);
  assert.equal(denied.answer.allowed, false);
  assert.ok(
    denied.text.includes(`an EndpointSlice of service default/web had ${web.ip} TCP port 80`),
  );
  await apply(slice('web', web.ip));
  assert.equal((await why()).answer.allowed, true);
  await apply(`apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: closed}
spec: {order: -1, selector: "role == 'web'", ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}]}
`);
  const staged = await lab.calicoctlOk(['policy', 'staged']);
  t.diagnostic(staged);
  assert.match(staged, /^pending: StagedGlobalNetworkPolicy closed \(Set\)$/m);
  assert.match(staged, /default\/client +default\/web +TCP port 80 +allowed +denied/);
  assert.equal(await connects(), true);
});
