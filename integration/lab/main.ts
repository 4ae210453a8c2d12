// npm run lab -- up|exec|pod|status|down: a cluster to look into and to develop against.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { inNamespace } from './fabric.ts';
import { Lab } from './lab.ts';
import { podCommand, podOf, podsText } from './pod_commands.ts';
import { RUNTIMES, type Runtime } from './processes.ts';
import { isAlive, type LabState, labDirectory, readStates } from './state.ts';
import { sweepAbandoned, takeDown } from './sweep.ts';
import { MODES, type Mode, planTopology } from './topology.ts';

const program = new Command('lab')
  .usage('up|exec|pod|status|down [options]')
  .enablePositionalOptions() // options after the node of "exec" are the command's
  .description(
    'A cluster of network namespaces on this machine: real etcd, NATS, services and kernel.',
  )
  .addHelpText(
    'after',
    `
Examples:
  npm run lab -- up --mode vxlan --nodes 5
  npm run lab -- exec k8s-node02 ip route
  npm run lab -- exec control calicoctl get nodes -o wide
  npm run lab -- pod add web k8s-node01 -l app=web
  npm run lab -- exec default/web ip addr
  npm run lab -- status
  npm run lab -- down`,
  );

program
  .command('up')
  .description('start a cluster and leave it running')
  .addOption(
    new Option('--mode <mode>', 'how pod traffic crosses nodes').choices([...MODES]).default('bgp'),
  )
  .option('--nodes <count>', 'number of nodes', positive, 3)
  .addOption(
    new Option('--runtime <name>', 'what runs the services').choices([...RUNTIMES]).default('node'),
  )
  .option('--tls', 'mutual TLS between services, etcd and NATS')
  .action(async (options: { mode: Mode; nodes: number; runtime: Runtime; tls?: boolean }) => {
    const lab = await Lab.start({
      ...options,
      keep: true,
      log: (line) => console.log(`· ${line}`),
    });
    await lab.configure();
    console.log(describe(lab.state()));
  });

program
  .command('exec <node> [command...]')
  .description(
    'run a command on a node, on "control", or in a pod (namespace/name); calicoctl is there',
  )
  .passThroughOptions()
  .option('--lab <prefix>', 'which lab, when several run')
  .action((node: string, command: string[], { lab }: { lab?: string }) => {
    const state = choose(lab);
    const topology = planTopology(state.prefix, state.mode, state.nodeCount);
    const pod = podOf(state, node);
    const found = [
      { name: 'control', namespace: topology.control },
      ...topology.nodes,
      ...(pod === undefined ? [] : [{ name: node, namespace: pod.netns }]),
    ].find(({ name }) => name === node);
    if (found === undefined) {
      fail(
        `Cannot find node "${node}": there are control, ${topology.nodes.map(({ name }) => name).join(', ')}; ${podsText(state)}`,
      );
    }
    const shell = `. ${join(labDirectory(state.prefix), 'environment')}
      export CALICO_RUN_DIR=${join(labDirectory(state.prefix), node, 'run')} PATH=${import.meta.dirname}/bin:$PATH
      exec "$@"`;
    const words = command.length === 0 ? ['bash'] : command;
    const [binary = '', ...args] = inNamespace(found.namespace, [
      'bash',
      '-c',
      shell,
      'lab',
      ...words,
    ]);
    const { status } = spawnSync(binary, args, { stdio: 'inherit' });
    process.exitCode = status ?? 1;
  });

program.addCommand(podCommand(choose));

program
  .command('status')
  .description('list running labs with their processes and pods')
  .action(() => {
    const states = readStates();
    console.log(
      states.length === 0
        ? 'No lab is running. Start one with: npm run lab -- up'
        : states.map(describe).join('\n\n'),
    );
  });

program
  .command('down [prefix]')
  .description('stop a lab and remove everything of it')
  .option('--all', 'every lab of this machine, also those in use by a running test')
  .action(async (prefix: string | undefined, { all = false }: { all?: boolean }) => {
    for (const swept of await sweepAbandoned()) console.log(`swept abandoned lab ${swept}`);
    const states = all ? readStates() : readStates().length === 0 ? [] : [choose(prefix)];
    for (const state of states) {
      await takeDown(state);
      console.log(`lab ${state.prefix} is down`);
    }
    if (states.length === 0) console.log('No lab is running.');
  });

await program.parseAsync().catch((cause: unknown) => {
  fail(cause instanceof Error ? cause.message : String(cause));
});

function choose(prefix: string | undefined): LabState {
  const states = readStates().filter((state) =>
    prefix === undefined ? state.detached : state.prefix === prefix,
  );
  const [state] = states;
  if (state === undefined)
    fail('Cannot find a lab: none is running. Start one with: npm run lab -- up');
  if (states.length > 1)
    fail(
      `Cannot choose a lab: ${states.map((each) => each.prefix).join(', ')} are running; name one`,
    );
  return state;
}

function describe(state: LabState): string {
  const up = state.processes.filter(isAlive);
  const rows = up.map(
    ({ service, node, pid }) => `  ${node.padEnd(14)} ${service.padEnd(8)} pid ${pid}`,
  );
  const pods = state.pods.map(
    ({ name, namespace, node }) => `  ${node.name.padEnd(14)} pod      ${namespace}/${name}`,
  );
  return [
    `lab ${state.prefix}: mode ${state.mode}, ${state.nodeCount} nodes, files and logs in ${labDirectory(state.prefix)}`,
    ...rows,
    ...pods,
    'Look around:',
    '  npm run lab -- exec k8s-node02 ip route',
    '  npm run lab -- exec k8s-node02 calicoctl node status',
    '  npm run lab -- exec control calicoctl get workloadendpoints -A -o wide',
    `Stop it:  npm run lab -- down ${state.prefix}`,
  ].join('\n');
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number from 1 on is accepted');
  return value;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
