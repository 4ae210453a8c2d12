// The files in deploy/ against what the programs accept, and against each other.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { SETTINGS as CALICOCTL } from '../../packages/calicoctl/settings.ts';
import { ROOT } from '../lab/mod.ts';
import { PROGRAMS, type Program, programsOf, variablesOf, variablesOfScripts } from './programs.ts';

const DEPLOY = join(ROOT, 'deploy');
const read = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8');
const names = Object.keys(PROGRAMS) as Program[];
const variables = new Map(names.map((name) => [name, variablesOf(name)]));
const scripts = variablesOfScripts();
const clients = Object.values(CALICOCTL).map(({ variable }) => variable as string);
const dockerfile = read('docker/Dockerfile');
/** Node's own. */
const RUNTIME = ['NODE_COMPILE_CACHE'];

/** Whether one of the programs reads the variable; a node's image has calicoctl and scripts too. */
function isKnown(variable: string, programs: readonly Program[]): boolean {
  return (
    programs.some((program) => variables.get(program)?.has(variable)) ||
    (programs.includes('felix') && [...scripts, ...clients].includes(variable)) ||
    RUNTIME.includes(variable)
  );
}

test('programs: --help lists what they read', () => {
  for (const [program, known] of variables) assert.ok(known.has('CALICO_LOG_LEVEL'), program);
  assert.ok(scripts.includes('CALICO_FELIX_HTTP_LISTEN'));
});

test('systemd: units start files that exist and set variables that these read', () => {
  const units = globSync('*.service', { cwd: join(DEPLOY, 'systemd') });
  assert.equal(units.length, names.length);
  for (const unit of units) {
    const text = read(`systemd/${unit}`);
    const [, file = ''] = /^ExecStart=\S+ \/opt\/calico\/(\S+)$/m.exec(text) ?? [];
    const program = names.find((name) => PROGRAMS[name] === file);
    assert.ok(program, `${unit} starts "${file}"`);
    const [, manual = ''] = /^Documentation=file:\/opt\/calico\/(\S+)$/m.exec(text) ?? [];
    assert.ok(existsSync(join(ROOT, manual)), `${unit} names ${manual}`);
    for (const [, variable = ''] of text.matchAll(/^Environment=(\w+)=/gm)) {
      assert.ok(isKnown(variable, [program]), `${unit} sets ${variable}`);
    }
    for (const [, other = ''] of text.matchAll(/\b(calico-[\w-]+\.service)\b/g)) {
      assert.ok(units.includes(other), `${unit} names ${other}`);
    }
  }
});

/** systemd.exec(5): what makes a mount namespace. */
const OWN_MOUNTS =
  /^(?:Private(?:Tmp|Devices|Mounts|IPC)|Protect(?:System|Home|Proc|Kernel\w+|ControlGroups)|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|TemporaryFileSystem|Bind\w+|RootDirectory|DynamicUser)=/m;

test('systemd: felix sees the namespaces of pods that are mounted while it runs', () => {
  assert.doesNotMatch(read('systemd/calico-felix.service'), OWN_MOUNTS);
  assert.match(read('systemd/calico-bgp.service'), OWN_MOUNTS);
});

test('systemd: calico.env sets variables that a service reads, also where it only proposes', () => {
  const lines = read('systemd/calico.env').matchAll(/^#?([A-Z]\w+)=(.*)$/gm);
  for (const [, variable = ''] of lines) assert.ok(isKnown(variable, names), variable);
});

test('systemd: the readme names every unit', () => {
  const readme = read('systemd/README.md');
  for (const unit of globSync('*.service', { cwd: join(DEPLOY, 'systemd') })) {
    const name = basename(unit, '.service');
    assert.match(readme, new RegExp(`${name}|${name.replace('calico', '')}`), unit);
  }
});

type ComposeService = {
  readonly image: string;
  readonly build: { readonly target: string; readonly context: string };
  readonly environment?: Record<string, string>;
  readonly depends_on?: readonly string[];
  readonly networks: Record<string, { readonly ipv4_address: string }>;
};

test('compose: images, variables and addresses fit the programs and each other', () => {
  const file = parse(read('compose/compose.yaml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    networks: Record<string, unknown>;
  };
  const addressOf = (service: string): string | undefined =>
    Object.values(file.services[service]?.networks ?? {})[0]?.ipv4_address;
  const taken = Object.keys(file.services).map(addressOf);
  assert.equal(new Set(taken).size, taken.length);
  for (const [name, service] of Object.entries(file.services)) {
    const { target, context } = service.build;
    assert.match(dockerfile, new RegExp(`^FROM .* AS ${target}$`, 'm'));
    assert.equal(service.image, `calico-ts/${target}`);
    assert.ok(existsSync(join(DEPLOY, 'compose', context, 'deploy/docker/Dockerfile')));
    for (const network of Object.keys(service.networks)) assert.ok(network in file.networks);
    for (const other of service.depends_on ?? []) assert.ok(other in file.services, other);
    const environment = Object.entries(service.environment ?? {});
    const programs = programsOf(target);
    for (const [variable, value] of environment) {
      const known = isKnown(variable, programs) || clients.includes(variable);
      const shared = names.some((program) => variables.get(program)?.has(variable));
      assert.ok(known || shared, `${name} sets ${variable}`);
      const [, peer = ''] = /^CALICO_(API|IPAM|STATUS)_ADDRESS$/.exec(variable) ?? [];
      if (peer !== '') assert.equal(value, `${addressOf(peer.toLowerCase())}:${portOf(peer)}`);
    }
  }
});

/** The port of a service's default address. */
function portOf(name: string, variable = 'CALICO_LISTEN'): string {
  const preset = variables.get(name.toLowerCase() as Program)?.get(variable) ?? '';
  return preset.slice(preset.lastIndexOf(':') + 1);
}

type Probe = { readonly httpGet: { scheme: string; host: string; path: string; port: number } };
type Container = {
  readonly name: string;
  readonly image: string;
  readonly env: readonly {
    name: string;
    value?: string;
    valueFrom?: Record<string, Record<string, string>>;
  }[];
  readonly envFrom: readonly { configMapRef: { name: string } }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { name: string; mountPath: string }[];
};
type PodSpec = {
  readonly serviceAccountName: string;
  readonly containers: readonly Container[];
  readonly volumes: readonly { name: string }[];
};
type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data: Record<string, string>;
  readonly spec: {
    readonly clusterIP: string;
    readonly ports: readonly { readonly port: number }[];
    readonly selector: Record<string, string> & { matchLabels: Record<string, string> };
    readonly template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  };
};

const manifests = read('kubernetes/calico.yaml')
  .split(/^---$/m)
  .map((text) => parse(text) as Manifest);
const ofKind = (...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind));
const workloads = ofKind('Deployment', 'DaemonSet');
const [config] = ofKind('ConfigMap');
const settings = Object.entries(config?.data ?? {}).filter(
  ([name]) => name !== 'cni_network_config',
);

test('kubernetes: every object is in the namespace that the file makes', () => {
  const [namespace] = ofKind('Namespace');
  for (const { kind, metadata } of manifests) {
    if (kind !== 'Namespace') assert.equal(metadata.namespace, namespace?.metadata.name);
  }
});

test('kubernetes: what objects refer to exists', () => {
  for (const { metadata, spec } of workloads) {
    const { serviceAccountName, containers, volumes } = spec.template.spec;
    assert.ok(ofKind('ServiceAccount').some((one) => one.metadata.name === serviceAccountName));
    assert.deepEqual(spec.selector.matchLabels, spec.template.metadata.labels, metadata.name);
    const provided = volumes.map(({ name }) => name);
    for (const { envFrom, env, volumeMounts, image } of containers) {
      for (const { configMapRef } of envFrom)
        assert.equal(configMapRef.name, config?.metadata.name);
      for (const { valueFrom } of env) {
        const { key = '', name } = valueFrom?.['configMapKeyRef'] ?? {};
        if (key !== '') assert.ok(key in (config?.data ?? {}) && name === 'calico-config');
      }
      for (const { name } of volumeMounts) assert.ok(provided.includes(name), name);
      const [, target = ''] = /^calico-ts\/(\w+):/.exec(image) ?? [];
      assert.match(dockerfile, new RegExp(`^FROM .* AS ${target}$`, 'm'));
    }
  }
});

test('kubernetes: variables are those that the programs read', () => {
  for (const [variable] of settings) assert.ok(isKnown(variable, names), variable);
  for (const { spec } of workloads) {
    for (const { name, env } of spec.template.spec.containers) {
      const programs = programsOf(name);
      assert.notDeepEqual(programs, [], name);
      for (const one of env) assert.ok(isKnown(one.name, programs), `${name} sets ${one.name}`);
    }
  }
});

test('kubernetes: files of certificates are on a mount of every container', () => {
  const files = settings.filter(([, value]) => value.endsWith('.pem'));
  assert.ok(files.length >= 9);
  for (const { spec } of workloads) {
    for (const { name, volumeMounts } of spec.template.spec.containers) {
      for (const [variable, path] of files) {
        const mounted = volumeMounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`));
        assert.ok(mounted, `${name}: ${variable}=${path}`);
      }
    }
  }
});

test('kubernetes: services lead to where the programs listen, and clients to the services', () => {
  for (const { metadata, spec } of ofKind('Service')) {
    const name = metadata.name.replace('calico-', '');
    const target = workloads.find(
      (one) => one.spec.template.metadata.labels['app'] === spec.selector['app'],
    );
    const container = target?.spec.template.spec.containers[0];
    const [port] = spec.ports;
    assert.equal(String(port?.port), portOf(name));
    assert.equal(container?.ports?.[0]?.containerPort, port?.port);
    const listen = container?.env.find((one) => one.name === 'CALICO_LISTEN')?.value;
    assert.equal(listen, `0.0.0.0:${port?.port}`);
    const address = config?.data[`CALICO_${name.toUpperCase()}_ADDRESS`];
    assert.equal(address, `${spec.clusterIP}:${port?.port}`);
  }
  for (const { spec } of ofKind('PodDisruptionBudget')) {
    const { app } = spec.selector.matchLabels;
    assert.ok(
      workloads.some((one) => one.metadata.name === app),
      app,
    );
  }
});

test('kubernetes: probes ask where health is answered, with TLS where TLS files are set', () => {
  assert.ok(settings.some(([name]) => name === 'CALICO_TLS_CERT'));
  for (const { spec } of workloads) {
    for (const { name, livenessProbe, readinessProbe } of spec.template.spec.containers) {
      const program = name === 'node' ? 'felix' : name;
      for (const { httpGet } of [livenessProbe, readinessProbe]) {
        assert.equal(String(httpGet.port), portOf(program, 'CALICO_HTTP_LISTEN'));
        assert.equal(httpGet.scheme, 'HTTPS', name);
      }
      assert.equal(livenessProbe.httpGet.path, '/liveness');
      assert.equal(readinessProbe.httpGet.path, '/readiness');
    }
  }
});

test('kubernetes: the CNI configuration is JSON and names the plugin that the image installs', () => {
  const network = JSON.parse(config?.data['cni_network_config'] ?? '') as {
    plugins: { type: string }[];
  };
  assert.match(read('docker/install-cni'), new RegExp(`/opt/cni/bin/${network.plugins[0]?.type}"`));
});

test('docker: scripts and what the Dockerfile starts exist', () => {
  for (const [, file = ''] of dockerfile.matchAll(/^CMD \["node", "(.*)"\]$/gm)) {
    assert.ok(existsSync(join(ROOT, file)), file);
  }
  for (const script of ['calicoctl', 'entrypoint', 'install-cni', 'run-node']) {
    execFileSync('sh', ['-n', join(DEPLOY, 'docker', script)]);
    assert.ok(dockerfile.includes(`deploy/docker/${script}`), script);
  }
});
