import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon, Lag } from './daemon.ts';

/** @param profile folder for CPU profiles */
export function ours(profile: string | undefined): Daemon {
  return {
    name: 'ours',
    hasKernel: true,
    start(arena, world) {
      const file = join(arena.directory, 'world.json');
      writeFileSync(file, JSON.stringify(world));
      const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
      const script = join(import.meta.dirname, 'our_speaker.ts');
      const child = arena.start([process.execPath, ...flags, script, file], true);
      return Promise.resolve({
        processes: [child],
        lag: async () => {
          child.send('lag');
          const [lag] = await once(child, 'message');
          return lag as Lag;
        },
        // It ends by itself, which is when a profile is written.
        stop: () => arena.stop(child, 'SIGTERM'),
      });
    },
  };
}
