// What the programs themselves say they read: the measure of everything in deploy/.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lab/mod.ts';

/** Names in deploy/ and the file that is started. */
export const PROGRAMS = {
  api: 'services/api/main.ts',
  ipam: 'services/ipam/main.ts',
  status: 'services/status/main.ts',
  felix: 'services/felix/main.ts',
  bgp: 'services/bgp/main.ts',
  startup: 'services/felix/startup_main.ts',
} as const;
export type Program = keyof typeof PROGRAMS;

/** What runs in the image of that name. */
export function programsOf(image: string): Program[] {
  if (image === 'node') return ['startup', 'felix', 'bgp'];
  return image in PROGRAMS ? [image as Program] : [];
}

/** Variables with their defaults ("" where there is none), as `--help` lists them. */
export function variablesOf(program: Program): ReadonlyMap<string, string> {
  const help = execFileSync(process.execPath, [join(ROOT, PROGRAMS[program]), '--help'], {
    encoding: 'utf8',
  });
  const lines = help.slice(help.indexOf('Environment:')).matchAll(/^ {2}([A-Z]\w+) +(.*)$/gm);
  return new Map(
    [...lines].map(([, name = '', text = '']) => [
      name,
      /\(default: (.*)\)$/.exec(text)?.[1]?.replace(/^none$/, '') ?? '',
    ]),
  );
}

/** Variables that the scripts of the images read themselves. */
export function variablesOfScripts(): string[] {
  return ['entrypoint', 'install-cni', 'run-node'].flatMap((name) => {
    const text = readFileSync(join(ROOT, 'deploy/docker', name), 'utf8');
    return [...text.matchAll(/\$\{([A-Z]\w+)/g)].map(([, variable = '']) => variable);
  });
}
