// The floors of ARCHITECTURE.md as a check: code imports only from floors below its own, cores are pure,
// and every import of a workspace package is declared in package.json.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const FLOORS: readonly (readonly string[])[] = [
  ['ip', 'selector', 'model', 'bgp-wire', 'bfd-wire', 'proto'],
  ['clock', 'mailbox'],
  ['netlink', 'nftables', 'udp'],
  ['telemetry', 'store', 'bus', 'rpc', 'feed', 'process'],
  ['api', 'ipam', 'felix', 'bgp', 'status'],
  ['calicoctl', 'cni'],
  ['integration'],
];

/** Allowed between neighbours of one floor: `from` may import `to`. */
const SAME_FLOOR: readonly (readonly [from: string, to: string])[] = [
  ['model', 'ip'],
  ['model', 'selector'],
  ['bgp-wire', 'ip'],
  ['mailbox', 'clock'],
  ['nftables', 'netlink'],
  ['udp', 'netlink'],
  ['feed', 'bus'],
  ['feed', 'rpc'],
  ['process', 'rpc'],
  ['process', 'telemetry'],
  ['store', 'telemetry'],
  ['store', 'rpc'],
  ['bus', 'telemetry'],
  ['bus', 'rpc'],
  ['rpc', 'telemetry'],
  ['feed', 'telemetry'],
];

const FACES = ['calicoctl', 'cni'];
/** What a face may use: the contracts, the way to call them, and the vocabulary. */
const FACE_IMPORTS = ['proto', 'rpc', 'model', 'ip', 'selector'];

/** Whether a machine can be a node is asked before a service runs there. */
const KERNEL_CHECK = [
  'packages/calicoctl/commands/node_checksystem.ts nftables',
  'packages/calicoctl/system_requirements.ts nftables',
];

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

type SourceFile = {
  readonly path: string;
  readonly unit: string;
  readonly imports: readonly string[];
};

/** Violations, one line each; empty when the floors hold. */
export function checkLayers(root: string): string[] {
  return sourceFiles(root).flatMap((file) => [...checkFloors(file, root), ...checkPurity(file)]);
}

function sourceFiles(root: string): SourceFile[] {
  return ['packages/*/**/*.ts', 'services/*/**/*.ts']
    .flatMap((pattern) =>
      globSync(pattern, { cwd: root, exclude: (path) => /node_modules|\/gen$/.test(path) }),
    )
    .filter((path) => !/node_modules|\/gen\//.test(path))
    .map((path) => ({
      path,
      unit: path.split('/')[1] ?? '',
      imports: importsOf(readFileSync(join(root, path), 'utf8')),
    }));
}

export function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function checkFloors({ path, unit, imports }: SourceFile, root: string): string[] {
  const declared = readFileSync(
    join(root, path.split('/').slice(0, 2).join('/'), 'package.json'),
    'utf8',
  );
  return imports.flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = relative(root, resolve(root, dirname(path), specifier)).split('/')[1];
      return target === unit ? [] : [`${path}: reaches into another package by path: ${specifier}`];
    }
    const name = /^@calico\/([^/]+)/.exec(specifier)?.[1];
    if (name === undefined || name === unit) return [];
    if (!declared.includes(`"@calico/${name}"`))
      return [`${path}: ${specifier} is not declared in package.json`];
    return mayImport(unit, name, path)
      ? []
      : [`${path}: ${unit} may not import ${name}: it is not on a floor below`];
  });
}

function mayImport(from: string, to: string, path: string): boolean {
  if (path.endsWith('_test.ts')) return floorOf(to) <= floorOf('process');
  if (FACES.includes(from))
    return FACE_IMPORTS.includes(to) || KERNEL_CHECK.includes(`${path} ${to}`);
  return floorOf(to) < floorOf(from) || SAME_FLOOR.some(([a, b]) => a === from && b === to);
}

function floorOf(unit: string): number {
  const floor = FLOORS.findIndex((units) => units.includes(unit));
  if (floor === -1)
    throw new RangeError(`Cannot place "${unit}" on a floor: add it to integration/ok/layers.ts`);
  return floor;
}

const NODE_OR_OUTSIDE = /^node:|^@grpc\/|^etcd3$|^@nats-io\/|^koffi$|^@opentelemetry\//;

function checkPurity({ path, unit, imports }: SourceFile): string[] {
  if (path.endsWith('_test.ts')) return [];
  const isCore = path.startsWith('services/') && path.split('/')[2] === 'core';
  const isPure = path.startsWith('packages/') && unit !== 'proto' && floorOf(unit) <= 1;
  if (!isCore && !isPure) return [];
  return imports.flatMap((specifier) => {
    const name = /^@calico\/([^/]+)/.exec(specifier)?.[1];
    const impure =
      NODE_OR_OUTSIDE.test(specifier) || (isCore && name !== undefined && floorOf(name) > 1);
    return impure ? [`${path}: the pure floors may not import ${specifier}`] : [];
  });
}
