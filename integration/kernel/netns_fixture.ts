// Private network namespaces for one test file; removed when the tests are over, also after a failure.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';

const prefix = `cnk${randomBytes(3).toString('hex')}`;
const made: string[] = [];

after(() => {
  for (const name of made) {
    try {
      execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
    } catch {
      // The test may have deleted it itself.
    }
  }
});

/** A fresh namespace; answers its name. */
export function makeNetns(): string {
  const name = `${prefix}-${made.length}`;
  execFileSync('ip', ['netns', 'add', name]);
  made.push(name);
  return name;
}

export function netnsPath(name: string): string {
  return `/var/run/netns/${name}`;
}

/** Runs a command in a namespace; answers what it prints. */
export function runIn(name: string, command: string): string {
  const [program = '', ...args] = command.split(' ');
  return execFileSync('ip', ['netns', 'exec', name, program, ...args], { encoding: 'utf8' });
}

/** Runs `ip -j …` in a namespace; answers the parsed JSON. */
export function ipJson<T>(name: string, command: string): T[] {
  const text = runIn(name, `ip -d -j ${command}`);
  return (text.trim() === '' ? [] : JSON.parse(text)) as T[];
}

/** Why tests of this kind cannot run here; false when they can. */
export const cannotRun: string | false =
  process.getuid?.() === 0 ? false : 'network namespaces need root';
