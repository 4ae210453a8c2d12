// Installs the plugin on a node: node packages/cni/install.ts --bin-dir /opt/cni/bin
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_RUN_DIR } from './netconf.ts';
import { NEWEST_VERSION } from './version.ts';

const HELP = `Installs the CNI plugin "calico".

  --bin-dir DIR     where the container runtime looks for plugins (default /opt/cni/bin)
  --runtime FILE    Node 24 or newer (default: the one that runs this)
  --conf FILE       also write a network configuration, for example /etc/cni/net.d/10-calico.conflist
  --run-dir DIR     felix's run directory in that configuration (default ${DEFAULT_RUN_DIR})
  --name NAME       name of the network in that configuration (default k8s-pod-network)
`;

/** bin/calico with the paths filled in, so that it works wherever it is copied to. */
function launcherText(runtime: string, directory: string): string {
  const text = readFileSync(join(directory, 'bin', 'calico'), 'utf8');
  return text
    .replace(/^runtime=$/m, () => `runtime=${quoted(runtime)}`)
    .replace(/^package=$/m, () => `package=${quoted(directory)}`);
}

function conflistText(name: string, runDir: string): string {
  const plugin = { type: 'calico', runDir, ipam: { type: 'calico-ipam' } };
  const list = { cniVersion: NEWEST_VERSION, name, plugins: [plugin] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

// A runtime may look at any moment: the file is there as a whole or not at all.
function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, text);
  chmodSync(temporary, mode);
  renameSync(temporary, path);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      'bin-dir': { type: 'string', default: '/opt/cni/bin' },
      runtime: { type: 'string', default: process.execPath },
      conf: { type: 'string' },
      'run-dir': { type: 'string', default: DEFAULT_RUN_DIR },
      name: { type: 'string', default: 'k8s-pod-network' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  mkdirSync(values['bin-dir'], { recursive: true });
  const launcher = join(values['bin-dir'], 'calico');
  writeWhole(launcher, launcherText(values.runtime, import.meta.dirname), 0o755);
  console.log(`wrote ${launcher}`);
  if (values.conf === undefined) return;
  mkdirSync(join(values.conf, '..'), { recursive: true });
  writeWhole(values.conf, conflistText(values.name, values['run-dir']), 0o600);
  console.log(`wrote ${values.conf}`);
}

if (import.meta.main) main();
