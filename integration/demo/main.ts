// npm run demo: the founding walk-through on a cluster of network namespaces, all of it real.
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  eventually,
  Lab,
  MODES,
  type Mode,
  nodesManifest,
  type Pod,
  poolManifest,
  RUNTIMES,
  type Runtime,
  WAIT_FLAGS,
} from '../lab/mod.ts';
import { addPods, showOtherVerbs } from './cni_steps.ts';
import { showPolicy } from './policy_steps.ts';
import { missingFeatures } from './requirements.ts';
import { Screen } from './screen.ts';
import { showPods, showReachability, showRoutes, showStatus, showWire } from './show_steps.ts';

type Options = {
  mode?: Mode;
  nodes: number;
  runtime: Runtime;
  keep: boolean;
  vm: boolean;
  kernel?: string;
};

const program = new Command('npm run demo --')
  .description(
    'Starts a cluster on this machine, walks through what it does, and takes it down again.',
  )
  .addOption(
    new Option(
      '--mode <mode>',
      'how pod traffic crosses nodes (default: bgp; ipip with --vm)',
    ).choices([...MODES]),
  )
  .option('--nodes <count>', 'number of nodes', positive, 3)
  .addOption(
    new Option('--runtime <name>', 'what runs the services').choices([...RUNTIMES]).default('node'),
  )
  .option('--keep', 'leave the cluster up at the end', false)
  .option(
    '--vm',
    "run it in QEMU on Debian's cloud kernel, which has the ipip module (slow: no hardware acceleration is needed)",
    false,
  )
  .option('--kernel <series>', "with --vm: Debian's newest kernel of this series, such as 6.1")
  .addHelpText(
    'after',
    `
Modes:
  bgp          native routes, nodes on one subnet: the most efficient
  vxlan        every packet between nodes in VXLAN
  crosssubnet  two subnets and a router: native inside a subnet, VXLAN across
  ipip         IP in IP, as the founding article has it; needs the ipip module (see --vm)`,
  );

const options = program.parse().opts<Options>();
const mode = options.mode ?? (options.vm ? 'ipip' : 'bgp');
process.exitCode = options.vm ? await runInVirtualMachine() : await runHere();

async function runHere(): Promise<number> {
  const missing = await missingFeatures(mode);
  if (missing.length > 0) {
    console.error(
      `Cannot run the walk-through in mode "${mode}": this machine lacks\n- ${missing.join('\n- ')}`,
    );
    return 1;
  }
  const started = performance.now();
  const screen = new Screen();
  screen.title(
    `0. A cluster of ${options.nodes} nodes, mode ${mode}, services on ${options.runtime}`,
  );
  const interrupt = interruptSignal();
  let lab: Lab | undefined;
  try {
    lab = await Lab.start({
      ...options,
      mode,
      signal: interrupt,
      log: (line) => screen.note(line),
    });
    await walkThrough(lab, screen);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    if (!interrupt.aborted) screen.check('the walk-through reaches its end', false, detail);
  } finally {
    if (lab !== undefined && options.keep && !interrupt.aborted) sayHowToLookAround(lab);
    else await lab?.stop();
  }
  if (interrupt.aborted) return 130;
  screen.close((performance.now() - started) / 1000);
  return screen.failures.length === 0 ? 0 : 1;
}

async function walkThrough(lab: Lab, screen: Screen): Promise<void> {
  screen.title('1. Pool, BGP configuration and nodes, through the api service');
  const pool = poolManifest(lab.topology);
  const first = await lab.calicoctlOk(['apply', '-f', '-'], { input: pool });
  screen.command('control', 'calicoctl apply -f - <<EOF', `${pool}EOF\n${first}`);
  await lab.claimBlocks();
  screen.note("the nodes' blocks are claimed as the article has them (ipam.ClaimAffinity)");
  const applied = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], {
    input: nodesManifest(lab.topology),
  });
  screen.command('control', 'calicoctl apply --wait -f nodes.yaml', applied);
  const count = lab.topology.nodes.length;
  screen.check(`in force on ${count}/${count} nodes`, applied.includes(`${count}/${count} nodes`));

  await haveTunnels(lab);
  const pods = await addPods(lab, screen);
  await showPods(lab, screen, pods);
  await showRoutes(lab, screen, pods);
  await showStatus(lab, screen);
  await showReachability(lab, screen, pods);
  await showPolicy(lab, screen, pods);
  if (count > 1) await showWire(lab, screen, pods);
  await showOtherVerbs(lab, screen, pods);
  if (!options.keep) {
    for (const pod of pods) await lab.deletePod(pod);
    screen.check('pods deleted: no endpoint is left', await hasNone(lab, pods));
  }
}

/** A node takes the first address of its block for its tunnel, once it has learned of the pool. */
async function haveTunnels(lab: Lab): Promise<void> {
  if (mode === 'bgp') return;
  const show = [
    'ip',
    '-4',
    '-o',
    'address',
    'show',
    'dev',
    mode === 'ipip' ? 'tunl0' : 'vxlan.calico',
  ];
  for (const { name } of lab.topology.nodes) {
    await eventually(
      async () => (await lab.exec(name, show)).stdout.includes(' inet '),
      30_000,
      () => `Cannot see the address of the tunnel on ${name}`,
    ).catch(() => {}); // the checks say what is wrong then
  }
}

/** What api cannot be told at once is told later. */
async function hasNone(lab: Lab, pods: readonly Pod[]): Promise<boolean> {
  const isGone = async (): Promise<boolean> => {
    const { code, stdout } = await lab.calicoctl(['get', 'workloadendpoint', '-A']);
    return code === 0 && pods.every(({ name }) => !stdout.includes(name));
  };
  return eventually(isGone, 20_000, () => 'an endpoint is left').then(
    () => true,
    () => false,
  );
}

async function runInVirtualMachine(): Promise<number> {
  const { runInVm } = await import('../vm/mod.ts');
  console.log(`· mode ${mode} in a virtual machine: interpreted, so it takes some minutes`);
  // The machine is slow, not the cluster: the same limits, only longer.
  const command = `echo "· loading the walk-through"
    CALICO_LAB_PATIENCE=10 exec node integration/demo/main.ts --mode ${mode} --nodes ${options.nodes}`;
  return runInVm({
    command,
    onLine: (line: string) => console.log(line),
    timeoutMs: 28 * 60_000,
    signal: interruptSignal(),
    ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
  });
}

function sayHowToLookAround(lab: Lab): void {
  const { prefix, nodes } = lab.topology;
  const last = nodes.at(-1)?.name ?? '';
  console.log(`
The cluster stays up (lab ${prefix}). Look around:
  npm run lab -- status
  npm run lab -- exec ${last} ip route
  npm run lab -- exec ${last} nft list table inet calico
  npm run lab -- exec ${last} calicoctl node status
  npm run lab -- exec control calicoctl get workloadendpoint -A -o wide
  less ${lab.directory}/${last}/log/felix.log
Stop it:
  npm run lab -- down ${prefix}`);
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error(`\n${signal}: taking everything down`);
      controller.abort();
    });
  }
  return controller.signal;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number from 1 on is accepted');
  return value;
}
