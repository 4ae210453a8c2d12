// `node checksystem`: whether this machine can be a node.
import { readdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { CommandError } from '../command_error.ts';
import type { CommandAdder, Session } from '../session.ts';
import {
  checkSystem,
  formatConclusion,
  formatFindings,
  type SystemFacts,
} from '../system_requirements.ts';

export const addCheckSystem: CommandAdder = (node, run) => {
  node
    .command('checksystem')
    .description('check whether the kernel of this machine has what a node needs')
    .addHelpText(
      'after',
      `
Example:
  sudo calicoctl node checksystem

It reads what the kernel says of itself, lets it judge each feature of the packet filter without
carrying it out, and changes nothing. felix has the last word: it tries what a pool needs, and names
what is missing in its log, in its readiness and in the status of the node.`,
    )
    .action(() => run(checkThisSystem));
};

async function checkThisSystem({ terminal }: Session): Promise<void> {
  const findings = checkSystem(await systemFacts());
  terminal.out(formatFindings(findings));
  if (findings.some(({ verdict }) => verdict === 'missing')) {
    throw new CommandError(
      "System doesn't meet one or more minimum systems requirements to run Calico",
    );
  }
  terminal.out(formatConclusion(findings));
}

async function systemFacts(): Promise<SystemFacts> {
  const kernel = release();
  const modules = `/lib/modules/${kernel}`;
  const [configuration, loaded, builtIn, loadable] = await Promise.all([
    readConfiguration(kernel),
    readdir('/sys/module').catch(() => []),
    readFile(`${modules}/modules.builtin`, 'utf8').catch(() => ''),
    readFile(`${modules}/modules.dep`, 'utf8').catch(() => ''),
  ]);
  return {
    release: kernel,
    isRoot: process.getuid?.() === 0,
    configuration,
    loaded: new Set(loaded),
    available: new Set([...moduleNames(builtIn), ...moduleNames(loadable)]),
    filter: await askFilter(),
  };
}

async function askFilter(): Promise<SystemFacts['filter']> {
  try {
    const { missingFilterFeatures } = await import('@calico/nftables');
    return missingFilterFeatures();
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** "kernel/drivers/net/veth.ko.xz: …" */
function moduleNames(listing: string): string[] {
  return [...listing.matchAll(/^\S*?([^/\s]+)\.ko\S*/gm)].map(([, name = '']) =>
    name.replaceAll('-', '_'),
  );
}

async function readConfiguration(kernel: string): Promise<string | undefined> {
  try {
    return gunzipSync(await readFile('/proc/config.gz')).toString('utf8');
  } catch {
    return readFile(`/boot/config-${kernel}`, 'utf8').catch(() => undefined);
  }
}
