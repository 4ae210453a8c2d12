// The command line: parses arguments, runs one command, answers the exit code.
import { Command, CommanderError, Option } from 'commander';
import { CommandError } from './command_error.ts';
import { addBgp } from './commands/bgp.ts';
import { addCluster } from './commands/cluster_diags.ts';
import { addConvert } from './commands/convert.ts';
import { addDatastore } from './commands/datastore.ts';
import { addDelete } from './commands/delete.ts';
import { addGet } from './commands/get.ts';
import { addIpam } from './commands/ipam.ts';
import { addLabel } from './commands/label.ts';
import { addNode } from './commands/node.ts';
import { addPatch } from './commands/patch.ts';
import { addPolicy } from './commands/policy.ts';
import { addValidate } from './commands/validate.ts';
import { addVersion } from './commands/version.ts';
import { addWhy } from './commands/why.ts';
import { addApply, addCreate, addReplace } from './commands/write.ts';
import { openConnections } from './connections.ts';
import type { Captured, Runner } from './session.ts';
import { DEFAULT_FILE, loadSettings, SETTINGS } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** @param args the arguments behind the command's name */
export async function runCalicoctl(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = createProgram(terminal);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (cause) {
    // Commander has printed its own error, or the help that was asked for.
    if (cause instanceof CommanderError) return cause.exitCode;
    terminal.err(errorText(cause));
    return 1;
  }
}

async function captured(words: readonly string[], terminal: Terminal): Promise<Captured> {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const code = await runCalicoctl(words, { ...terminal, out: write, err: write });
  return { code, text };
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('calicoctl');
  program
    .description("manage the cluster's network: resources, addresses, sessions of this node")
    .option('-c, --config <file>', `configuration file (default: ${DEFAULT_FILE}, if it exists)`)
    .addOption(new Option('--context <name>').argParser(refuseContext).hideHelp())
    // Written by scripts for upstream's calicoctl; here there is neither a log nor a datastore's version.
    .addOption(new Option('-l, --log-level <level>').hideHelp())
    .addOption(new Option('--allow-version-mismatch').hideHelp())
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError('Add --help to see what is accepted, with examples.')
    .showSuggestionAfterError();
  const run: Runner = async (body) => {
    const { config } = program.opts<{ config?: string }>();
    const settings = await loadSettings(config, terminal.environment);
    const connections = openConnections(settings);
    const command = (words: readonly string[]) =>
      captured(config === undefined ? words : ['--config', config, ...words], terminal);
    try {
      await body({ terminal, settings, connections, command });
    } finally {
      connections.close();
    }
  };
  for (const add of COMMANDS) add(program, run);
  for (const command of allCommands(program)) command.copyInheritedSettings(program);
  return program;
}

/** Upstream's chooses among the clusters of a kubeconfig by it. */
function refuseContext(name: string): never {
  throw new CommandError(
    `Cannot use --context "${name}": clusters are told apart by the address of their api, not by a kubeconfig`,
    { advice: 'Choose a cluster with --config FILE or CALICO_API_ADDRESS.' },
  );
}

const COMMANDS = [
  addGet,
  addApply,
  addCreate,
  addReplace,
  addDelete,
  addPatch,
  addLabel,
  addValidate,
  addConvert,
  addIpam,
  addNode,
  addBgp,
  addWhy,
  addPolicy,
  addCluster,
  addDatastore,
  addVersion,
];

const HELP = `
Examples:
  calicoctl get nodes -o wide
  calicoctl apply --wait -f policy.yaml
  calicoctl ipam show --show-blocks
  calicoctl node status
  calicoctl why default/client default/web --port 8080
  calicoctl bgp why 10.244.58.193

Environment, or fields of the same meaning in the configuration file:
${Object.entries(SETTINGS)
  .map(
    ([field, { variable, fallback = '' }]) =>
      `  ${variable.padEnd(22)}${field.padEnd(15)}${fallback}`,
  )
  .map((line) => line.trimEnd())
  .join('\n')}

"calicoctl COMMAND --help" shows the options and examples of a command.`;

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...allCommands(each)]);
}

function errorText(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const advice = cause instanceof CommandError ? cause.advice : undefined;
  return advice === undefined ? `${message}\n` : `${message}\n${advice}\n`;
}
