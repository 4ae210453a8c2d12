// The CNI plugin as a runtime runs it: three pods, then every other verb of the specification.
import { validateCniResult } from '@calico/cni/result_schema';
import { CNI_NETWORK, type Lab, type Pod, planPod, podCall, runCni } from '../lab/mod.ts';
import type { Screen } from './screen.ts';

/** The article's pods: name, node and the interface that its name hashes to. */
const PODS = [
  ['busybox-deploy-5c8bbcc5f7-ddmm9', 'k8s-node02', 'cali918b33f2bbe'],
  ['busybox-deploy-5c8bbcc5f7-fhqvh', 'k8s-node01', undefined],
  ['busybox-deploy-5c8bbcc5f7-ksr4z', 'k8s-node02', 'cali54491a66381'],
] as const;

/** Nodes of a smaller lab take the pods of those that are missing. */
function nodeFor(lab: Lab, wanted: string): string {
  const { nodes } = lab.topology;
  return nodes.some(({ name }) => name === wanted) ? wanted : (nodes.at(-1)?.name ?? wanted);
}

export async function addPods(lab: Lab, screen: Screen): Promise<Pod[]> {
  screen.title('2. Three pods, by the CNI plugin as a runtime runs it');
  const pods: Pod[] = [];
  for (const [name, wanted, hostInterface] of PODS) {
    const node = nodeFor(lab, wanted);
    const started = performance.now();
    const pod = await lab.addPod(name, node, { labels: { app: 'busybox', pod: name.slice(-5) } });
    const elapsed = performance.now() - started;
    if (pods.length === 0) {
      const { containerId, netns, args } = podCall(pod);
      screen.command(
        node,
        `CNI_COMMAND=ADD CNI_CONTAINERID=${containerId?.slice(0, 12)}… CNI_NETNS=${netns} CNI_IFNAME=eth0 \\\n    CNI_ARGS='${args?.slice(0, 92)}…' calico < 10-calico.conf`,
        JSON.stringify(pod.result, undefined, 2),
      );
    }
    const problems = validateCniResult(pod.result, '1.1.0');
    screen.check(
      `${name} on ${node} has ${pod.ip} after ${elapsed.toFixed(0)} ms; its result conforms to CNI 1.1`,
      problems.length === 0,
      problems.join('\n'),
    );
    if (hostInterface !== undefined) {
      const host = pod.result.interfaces.find(
        ({ sandbox }) => sandbox === undefined || sandbox === '',
      );
      screen.check(
        `its host end is ${hostInterface}`,
        host?.name === hostInterface,
        JSON.stringify(host),
      );
    }
    pods.push(pod);
  }
  return pods;
}

export async function showOtherVerbs(
  lab: Lab,
  screen: Screen,
  pods: readonly Pod[],
): Promise<void> {
  screen.title('6. The rest of the CNI specification');
  const [pod] = pods as [Pod];
  const { node } = pod;
  const version = await runCni(lab.directory, node, 'VERSION');
  screen.command(node.name, 'CNI_COMMAND=VERSION calico', version.stdout);
  screen.check(
    'VERSION lists 1.1.0',
    version.code === 0 && version.stdout.includes('"1.1.0"'),
    version.stderr,
  );

  let status = await runCni(lab.directory, node, 'STATUS');
  // On a busy machine a service may need more than the second that felix gives it.
  for (let again = 0; again < 10 && status.code !== 0; again += 1) {
    status = await runCni(lab.directory, node, 'STATUS');
  }
  screen.check('STATUS: ready to add', status.code === 0, status.stdout + status.stderr);

  const check = await runCni(
    lab.directory,
    node,
    'CHECK',
    podCall(pod, { prevResult: pod.result }),
  );
  screen.check('CHECK: the pod is as ADD left it', check.code === 0, check.stdout + check.stderr);

  const again = await runCni(lab.directory, node, 'ADD', podCall(pod));
  const sameAddress = again.code === 0 && again.stdout.includes(`"${pod.ip}/32"`);
  screen.check(
    'ADD again: the same address, nothing leaks',
    sameAddress,
    again.stdout + again.stderr,
  );

  const stray = await lab.addPod('stray', node.name);
  const valid = pods.map(({ containerId }) => ({ containerID: containerId, ifname: 'eth0' }));
  const gc = await runCni(lab.directory, node, 'GC', {
    config: { 'cni.dev/valid-attachments': valid },
  });
  const left = await lab.exec(node.name, ['ip', 'route', 'get', stray.ip]);
  const collected = gc.code === 0 && !left.stdout.includes('dev cali');
  screen.check(
    `GC: removes what ${CNI_NETWORK} no longer needs (pod "stray")`,
    collected,
    gc.stdout + gc.stderr + left.stdout,
  );
  await lab.deletePod(stray);
  screen.check('DEL of what is gone succeeds', true);

  const broken = await runCni(lab.directory, node, 'ADD', {
    ...podCall(planPod('x', node, 'lost', 'default', {})),
    netns: '/run/netns/missing',
  });
  screen.command(node.name, 'CNI_COMMAND=ADD CNI_NETNS=/run/netns/missing … calico', broken.stdout);
  screen.check(
    'a namespace that does not exist is a clear error',
    broken.code !== 0 && broken.stdout.includes('missing'),
  );
}
