// The thread that BFD runs on: routes by the hundred thousand, and the garbage of them, must not make this
// node look dead. Started by bfd_thread.ts.
import { parentPort } from 'node:worker_threads';
import { systemClock } from '@calico/clock';
import { BfdEngine } from '../core/bfd/engine.ts';
import { BfdSockets } from './bfd_sockets.ts';
import type { BfdAnswer, BfdCommand } from './bfd_thread.ts';

const port = parentPort;
if (port === null) throw new Error('Cannot run BFD: this file is a worker');

const sockets = new BfdSockets((...datagram) => engine.receive(...datagram), Math.random);
const engine = new BfdEngine({
  clock: systemClock,
  random: Math.random,
  open: (target) => sockets.open(target),
  drain: () => sockets.drain(),
  onStatus: (status) => answer({ kind: 'status', status }),
});

port.on('message', (command: BfdCommand) => {
  if (command.kind === 'configure') engine.configure(command.targets);
  else void stop();
});

async function stop(): Promise<void> {
  await engine.stop();
  await sockets.close();
  answer({ kind: 'stopped' });
}

function answer(message: BfdAnswer): void {
  port?.postMessage(message);
}
