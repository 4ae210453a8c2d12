import assert from 'node:assert/strict';

const ATTEMPTS = 3;

/**
 * Something that must disturb nothing where BFD watches: a machine that stands still for a second loses paths
 * that are well, so it has a few attempts. What really disturbs does so in each.
 *
 * @param run answers what was disturbed; everything is as before when it resolves
 */
export async function undisturbed(run: () => Promise<readonly unknown[]>): Promise<void> {
  let disturbed: readonly unknown[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    disturbed = await run();
    if (disturbed.length === 0) return;
  }
  assert.deepEqual(disturbed, []);
}
