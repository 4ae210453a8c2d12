// Starts main.ts. JavaScript, because TypeScript is stripped by a module that takes 30 ms to load: with the
// compile cache on before the first TypeScript file is met, only the first run pays for that.
import { writeSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { join } from 'node:path';

const OLDEST_NODE = 24;

const [major] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE) {
  const msg = `Cannot run with Node ${process.versions.node} ("${process.execPath}"): ${OLDEST_NODE} or newer is needed; set CALICO_CNI_RUNTIME to its path`;
  writeSync(1, `${JSON.stringify({ cniVersion: '1.1.0', code: 104, msg })}\n`);
  process.exitCode = 1;
} else {
  // Beside the code, because who can write there could change the code as well.
  const directory = join(import.meta.dirname, 'node_modules', '.cache', 'compile');
  nodeModule.enableCompileCache?.(process.env.NODE_COMPILE_CACHE ?? directory);
  const launchedMs = performance.now();
  const { run } = await import('./main.ts');
  // Not left to run down: what is still open (the connection to felix) takes some milliseconds to end.
  process.exit(await run(launchedMs));
}
