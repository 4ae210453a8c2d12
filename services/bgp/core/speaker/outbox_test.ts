import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from './outbox.ts';
import type { Peer } from './peer.ts';

test('Outbox looks only at peers that there may be something for', () => {
  const looks: string[] = [];
  const peerOf = (name: string): Peer =>
    ({
      get live(): undefined {
        looks.push(name);
        return undefined;
      },
      advertised: {},
      config: { policy: { isInternal: true } },
    }) as unknown as Peer;
  const [a, b, c] = [peerOf('a'), peerOf('b'), peerOf('c')];
  const outbox = new Outbox();
  const looked = (inside: boolean, outside = inside): string => {
    looks.length = 0;
    outbox.batches([a, b, c], { inside, outside });
    return looks.join('');
  };
  assert.equal(looked(false), '');
  outbox.noteEvent(b);
  assert.equal(looked(false), 'b');
  assert.equal(looked(false), '', 'once');
  outbox.noteForAll();
  assert.equal(looked(false), 'abc');
  assert.equal(looked(true, false), 'abc', 'some may be told the end of the table');
  assert.equal(looked(true), 'abc', 'all may');
  outbox.noteEvent(c);
  outbox.forget(c);
  assert.equal(looked(true), '');
});
