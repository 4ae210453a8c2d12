import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeLibc, messageBytes } from './fake_libc.ts';
import { ROUTES } from './goldens.ts';
import { NetlinkRouteDump } from './route_dump.ts';
import { NLM_F, NLMSG, RTM } from './uapi.ts';

const [FIRST] = ROUTES;
const FILTER = { family: FIRST?.value.destination.family ?? 4 };
const END = { bytes: messageBytes(NLMSG.DONE, 0, 1, '00000000') };

function route(flags = 0): { readonly bytes: Uint8Array } {
  return { bytes: messageBytes(RTM.NEWROUTE, flags, 1, FIRST?.hex ?? '') };
}

/** @param code last byte of the negative errno, in hex */
function refused(code: string): { readonly bytes: Uint8Array } {
  return { bytes: messageBytes(NLMSG.ERROR, 0, 1, `${code}ffffff${'00'.repeat(16)}`) };
}

test('routes come piece by piece until the end', () => {
  const libc = new FakeLibc();
  libc.queue.push(route(), route(), END);
  const dump = new NetlinkRouteDump(libc, FILTER);
  const seen: unknown[] = [];
  const states = [1, 2, 3].map(() => dump.next((each) => seen.push(each)));
  dump.close();
  assert.deepEqual(states, ['more', 'more', 'done']);
  assert.deepEqual(seen, [FIRST?.value, FIRST?.value]);
  assert.equal(libc.closed.length, 1);
});

test('a table that changed meanwhile, a refusal or a lost piece is said; no table is empty', () => {
  for (const [queue, expected] of [
    [[route(NLM_F.DUMP_INTR), END], 'interrupted'],
    [[route(), { errno: 105 }], 'interrupted'],
    [[route(), refused('ff')], 'interrupted'],
    [[refused('fe')], 'done'],
  ] as const) {
    const libc = new FakeLibc();
    libc.queue.push(...queue);
    const dump = new NetlinkRouteDump(libc, FILTER);
    let state = dump.next(() => {});
    while (state === 'more') state = dump.next(() => {});
    assert.equal(state, expected);
  }
});
