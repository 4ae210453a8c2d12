// npm run lab -- pod add|delete: pods of a lab that was left running, by the CNI plugin as a runtime runs it.
import { Command, InvalidArgumentError } from 'commander';
import { createPod, type PodPlan, planPod, removePod } from './pods.ts';
import { type LabState, labDirectory, writeState } from './state.ts';
import { planTopology } from './topology.ts';

type Labels = Readonly<Record<string, string>>;

/** @param choose the lab with a prefix, or the only one */
export function podCommand(choose: (prefix: string | undefined) => LabState): Command {
  const pod = new Command('pod').description('add and delete pods of a running lab');
  pod
    .command('add <name> <node>')
    .description('a pod, as namespace/name or name, on a node')
    .option('-l, --label <key=value>', 'a label; may be given several times', label, {})
    .option('--lab <prefix>', 'which lab, when several run')
    .addHelpText('after', '\nExample:\n  npm run lab -- pod add web k8s-node01 -l app=web')
    .action(async (name: string, node: string, options: { label: Labels; lab?: string }) => {
      const state = choose(options.lab);
      const { nodes } = planTopology(state.prefix, state.mode, state.nodeCount);
      const place = nodes.find((each) => each.name === node);
      if (place === undefined) {
        const names = nodes.map((each) => each.name).join(', ');
        throw new Error(`Cannot add pod "${name}": node "${node}": expected one of ${names}`);
      }
      const { namespace, pod: short } = identityOf(name);
      const plan = planPod(state.prefix, place, short, namespace, options.label);
      const added = await createPod(labDirectory(state.prefix), plan);
      writeState({ ...state, pods: [...without(state, plan), plan] });
      console.log(`pod ${namespace}/${short} on ${node}: ${added.ip}`);
    });
  pod
    .command('delete <name>')
    .description('delete a pod and its network namespace')
    .option('--lab <prefix>', 'which lab, when several run')
    .action(async (name: string, { lab }: { lab?: string }) => {
      const state = choose(lab);
      const plan = podOf(state, name);
      if (plan === undefined) throw new Error(`Cannot delete pod "${name}": ${podsText(state)}`);
      await removePod(labDirectory(state.prefix), plan);
      writeState({ ...state, pods: without(state, plan) });
      console.log(`pod ${plan.namespace}/${plan.name} is gone`);
    });
  return pod;
}

/** The pod that "namespace/name", or "name" of the namespace default, means. */
export function podOf(state: LabState, text: string): PodPlan | undefined {
  const { namespace, pod } = identityOf(text);
  return state.pods.find((each) => each.name === pod && each.namespace === namespace);
}

/** "pods are default/a, default/b" */
export function podsText({ pods }: LabState): string {
  const names = pods.map(({ namespace, name }) => `${namespace}/${name}`);
  return names.length === 0 ? 'there are no pods' : `pods are ${names.join(', ')}`;
}

function without({ pods }: LabState, gone: PodPlan): PodPlan[] {
  return pods.filter(({ containerId }) => containerId !== gone.containerId);
}

function identityOf(text: string): { readonly namespace: string; readonly pod: string } {
  const [first = '', second] = text.split('/');
  return second === undefined
    ? { namespace: 'default', pod: first }
    : { namespace: first, pod: second };
}

function label(text: string, before: Labels): Labels {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw new InvalidArgumentError('expected key=value');
  return { ...before, [key]: value };
}
