// A policy before and after, with real connections.
import { spawn } from 'node:child_process';
import {
  connects,
  eventually,
  inNamespace,
  isolationPolicy,
  type Lab,
  type Pod,
  ping,
  WAIT_FLAGS,
} from '../lab/mod.ts';
import type { Screen } from './screen.ts';

/** Longer than the kernel needs for a connection whose first packet was lost. */
const PATIENTLY_SECONDS = 5;

export async function showPolicy(lab: Lab, screen: Screen, pods: readonly Pod[]): Promise<void> {
  screen.title('4. A policy: one pod takes connections from a labelled one only');
  const [target, friend, stranger] = pods as [Pod, Pod, Pod];
  const server = spawn(
    'ip',
    inNamespace(target.netns, ['nc', '-n', '-d', '-k', '-l', '80']).slice(1),
    { stdio: 'ignore' },
  );
  try {
    await eventually(
      () => connects(friend.netns, target.ip, 80),
      20_000,
      () => `Cannot connect to ${target.ip}:80 before the policy`,
    );
    const table = async (isStrangerWelcome: boolean): Promise<boolean[]> =>
      Promise.all([
        connects(friend.netns, target.ip, 80, PATIENTLY_SECONDS),
        connects(stranger.netns, target.ip, 80, isStrangerWelcome ? PATIENTLY_SECONDS : 1),
        ping(stranger.netns, target.ip).then(({ received }) => received > 0),
      ]);
    const show = (label: string, [fromFriend, fromStranger, pinged]: boolean[]): void => {
      screen.note(
        `${label}: friend ${friend.ip} → ${target.ip}:80 ${word(fromFriend)}; stranger ${stranger.ip} → :80 ${word(fromStranger)}, ping ${pinged ? 'answered' : 'lost'}`,
      );
    };
    const before = await table(true);
    show('before', before);
    screen.check('before: everyone connects', before.every(Boolean));

    const friendLabel = friend.name.slice(-5);
    const targetLabel = target.name.slice(-5);
    const manifest = isolationPolicy(
      'only-the-friend',
      `pod == '${targetLabel}'`,
      `role == 'friend'`,
    );
    const endpoint = await endpointName(lab, friend);
    const labelled = await lab.calicoctlOk([
      'label',
      'workloadendpoint',
      endpoint,
      'role=friend',
      '-n',
      'default',
    ]);
    screen.command('control', `calicoctl label workloadendpoint ${endpoint} role=friend`, labelled);
    const applied = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], { input: manifest });
    screen.command('control', 'calicoctl apply --wait -f - <<EOF', `${manifest}EOF\n${applied}`);
    screen.command(
      'control',
      'calicoctl get networkpolicy -o wide',
      await lab.calicoctlOk(['get', 'networkpolicy', '-o', 'wide']),
    );

    const after = await table(false);
    show('after', after);
    screen.check(`after: ${friendLabel} (role=friend) connects`, after[0] === true);
    screen.check(
      'after: the stranger does not, on no port and no protocol',
      after[1] === false && after[2] === false,
    );
    await lab.calicoctlOk(['delete', 'networkpolicy', 'only-the-friend', '-n', 'default']);
    await eventually(
      () => connects(stranger.netns, target.ip, 80),
      20_000,
      () => 'the stranger is still refused after the policy was deleted',
    );
    screen.check('the policy deleted: the stranger connects again', true);
  } finally {
    server.kill();
  }
}

function word(open: boolean | undefined): string {
  return open ? 'connected' : 'refused in silence';
}

async function endpointName(lab: Lab, pod: Pod): Promise<string> {
  const listing = await lab.calicoctlOk([
    'get',
    'workloadendpoint',
    '-n',
    pod.namespace,
    '-o',
    'json',
  ]);
  const { items } = JSON.parse(listing) as {
    items: { metadata: { name: string }; spec: { pod?: string } }[];
  };
  const found = items.find(({ spec }) => spec.pod === pod.name);
  if (found === undefined) throw new Error(`Cannot find the workload endpoint of "${pod.name}"`);
  return found.metadata.name;
}
