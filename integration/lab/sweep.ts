// Takes down what is left of a lab, from its state on disk alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteNamespaces, namespacesOf, processesIn } from './fabric.ts';
import { isAlive, type LabState, readStates, removeState } from './state.ts';
import { patient } from './wait.ts';

/** Stops its processes, deletes its namespaces and files. */
export async function takeDown(state: LabState): Promise<void> {
  const alive = state.processes.filter(isAlive);
  for (const { pid } of alive) kill(pid, 'SIGTERM');
  for (let waited = 0; waited < patient(3000) && alive.some(isAlive); waited += 50) await sleep(50);
  for (const identity of alive.filter(isAlive)) kill(identity.pid, 'SIGKILL');
  const namespaces = await namespacesOf(state.prefix);
  // Servers of tests in pods, and children of what was killed.
  for (const pid of (await Promise.all(namespaces.map(processesIn))).flat()) kill(pid, 'SIGKILL');
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
