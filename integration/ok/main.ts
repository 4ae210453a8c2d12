// pnpm ok (or npm run ok): the one gate before a commit; CI runs the same and the integration tests.
import { runStages, STAGES, summary } from './stages.ts';

const count = await runStages(STAGES);
console.log(summary(count));
process.exitCode = count.failed === 0 ? 0 : 1;
