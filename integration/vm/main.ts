// node integration/vm/main.ts '<shell command>': runs it in the virtual machine and prints what it prints.
import { parseArgs } from 'node:util';
import { runInVm } from './mod.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kernel: { type: 'string' } },
});
const command = positionals.join(' ');
if (command === '') {
  console.error(
    "Usage: node integration/vm/main.ts [--kernel 6.1] 'modprobe ipip && ip -d link show tunl0'",
  );
  process.exitCode = 64;
} else {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort());
  }
  process.exitCode = await runInVm({
    command,
    onLine: (line) => console.log(line),
    timeoutMs: 60 * 60_000,
    ...(values.kernel === undefined ? {} : { kernel: values.kernel }),
    signal: interrupt.signal,
  });
}
