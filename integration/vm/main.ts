// node integration/vm/main.ts '<shell command>': runs it in the virtual machine and prints what it prints.
import { runInVm } from './mod.ts';

const command = process.argv.slice(2).join(' ');
if (command === '') {
  console.error("Usage: node integration/vm/main.ts 'modprobe ipip && ip -d link show tunl0'");
  process.exitCode = 64;
} else {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort());
  }
  process.exitCode = await runInVm({
    command,
    onLine: (line) => console.log(line),
    timeoutMs: 20 * 60_000,
    signal: interrupt.signal,
  });
}
