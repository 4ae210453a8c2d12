// A short run of the fuzzer on both runtimes (about 10 s), and every truncation of every recorded message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exec, ROOT } from '../lab/mod.ts';
import { Random } from './mutator.ts';
import { goldenBytes, TARGETS } from './targets.ts';
import { reasonToReset } from './update_oracle.ts';

const HEADER = 19;
const ROUNDS_OVER_CONTEXTS = 40;

test('no truncation of a recorded message resets a session that RFC 7606 says to keep', () => {
  const target = TARGETS.find(({ name }) => name === 'any message');
  assert.ok(target);
  const random = new Random(1);
  for (const whole of goldenBytes()) {
    for (let length = HEADER; length <= whole.length; length++) {
      const bytes = whole.slice(0, length);
      bytes[16] = length >>> 8;
      bytes[17] = length & 0xff;
      for (let round = 0; round < ROUNDS_OVER_CONTEXTS; round++) target.check(bytes, random);
    }
  }
});

test('the oracle knows which UPDATEs end a session', () => {
  const context = {
    fourOctetAs: true,
    extendedMessages: false,
    addPath: [],
    peerKind: 'internal',
  } as const;
  const reason = (hex: string): string | undefined =>
    reasonToReset(Buffer.from(hex, 'hex'), context);
  assert.equal(reason('00000000'), undefined);
  assert.equal(reason('0000000540'), 'attributes over the end');
  assert.equal(reason('0009000000'), 'withdrawn routes over the end');
  assert.equal(reason('0000000021000000'), 'announced routes');
  assert.equal(reason('00000006800f03000201'), undefined);
  assert.equal(reason('0000000c800f03000201800f03000201'), 'an MP attribute twice');
  assert.equal(reason('00000008800f050002018100'), 'an MP attribute');
  assert.equal(reason('00000004c0630107'), undefined);
  assert.equal(reason('0000000440630107'), 'an unknown well-known attribute');
});

for (const [runtime, inputs] of [
  [['node'], 300_000],
  [['deno', 'run', '-A', '--no-check'], 100_000],
] as const) {
  test(`${inputs} damaged inputs on ${runtime[0]}: no crash, no hang, no growth`, async () => {
    const command = [...runtime, 'integration/fuzz/bgp.ts', '--inputs', `${inputs}`, '--seed', '1'];
    const { code, stdout, stderr } = await exec(command, { cwd: ROOT, timeoutMs: 600_000 });
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(stdout, new RegExp(`^${inputs} inputs .*, 0 faults`, 'm'));
  });
}
