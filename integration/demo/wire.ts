// What the uplink carries while one pod pings another.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace, type Lab, type Mode, type Pod, patient, ping, UPLINK } from '../lab/mod.ts';

/** tcpdump filter of a mode's packets and how its line must look. */
export const WIRE: Readonly<Record<Mode, { filter: string; shows: RegExp; words: string }>> = {
  bgp: {
    filter: 'icmp and net 10.244.0.0/16',
    shows: /10\.244\S+ > 10\.244\S+: ICMP/,
    words: 'pod to pod, nothing around it',
  },
  ipip: {
    filter: 'ip proto 4',
    shows: /proto IPIP \(4\)|IP 192\.168\S+ > 192\.168\S+: IP 10\.244/,
    words: 'IP protocol 4 between the nodes',
  },
  vxlan: {
    filter: 'udp port 4789',
    shows: /VXLAN.*vni 4096/s,
    words: 'VXLAN, VNI 4096, between the nodes',
  },
  crosssubnet: {
    filter: 'udp port 4789',
    shows: /VXLAN.*vni 4096/s,
    words: 'VXLAN across the router',
  },
};

/** Pings from pod to pod and answers what tcpdump saw on the receiver's uplink. */
export async function capture(
  lab: Lab,
  from: Pod,
  to: Pod,
): Promise<{ command: string; output: string }> {
  const { filter } = WIRE[lab.topology.mode];
  const words = ['tcpdump', '-n', '-v', '-l', '-c', '2', '-i', UPLINK, ...filter.split(' ')];
  const [program = '', ...args] = inNamespace(to.node.namespace, words);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let ready = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ready += text));
  const closed = once(child, 'close');
  for (let waited = 0; waited < patient(20_000) && !ready.includes('listening on'); waited += 50)
    await sleep(50);
  await ping(from.netns, to.ip, { count: 3, intervalSeconds: 0.2, timeoutSeconds: 2 });
  const timer = setTimeout(() => child.kill(), patient(20_000));
  await closed;
  clearTimeout(timer);
  return { command: words.join(' '), output };
}
