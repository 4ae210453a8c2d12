// Takes down what is left of a lab, from its state on disk alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteNamespaces, namespacesOf, processesIn } from './fabric.ts';
import { isAlive, type LabState, readStates, removeState } from './state.ts';
import { eventually, patient } from './wait.ts';

/** Stops its processes, deletes its namespaces and files. */
export async function takeDown(state: LabState): Promise<void> {
  const alive = state.processes.filter(isAlive);
  for (const { pid } of alive) kill(pid, 'SIGTERM');
  for (let waited = 0; waited < patient(3000) && alive.some(isAlive); waited += 50) await sleep(50);
  const namespaces = await namespacesOf(state.prefix);
  await eventually(
    async () => {
      // Servers of tests in pods, and children of what was killed.
      const others = (await Promise.all(namespaces.map(processesIn))).flat();
      const left = [...alive.filter(isAlive).map(({ pid }) => pid), ...others];
      for (const pid of left) kill(pid, 'SIGKILL');
      return left.length === 0;
    },
    5_000,
    () => 'something cannot be killed',
  ).catch(() => {}); // what goes goes
  await deleteNamespaces(namespaces);
  removeState(state.prefix);
}

/** Labs whose starter died without cleaning up, and that nobody asked to keep. */
export async function sweepAbandoned(): Promise<string[]> {
  const abandoned = readStates().filter((state) => !state.detached && !isAlive(state.owner));
  for (const state of abandoned) await takeDown(state);
  return abandoned.map(({ prefix }) => prefix);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended meanwhile
  }
}
