import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SubjectError } from './errors.ts';
import { escapeToken, unescapeToken } from './subject_token.ts';

const NAME = fc.string({ unit: 'binary', minLength: 1 });

test('escapeToken() writes what NATS forbids in a token as %XX', () => {
  assert.equal(escapeToken('k8s-node01'), 'k8s-node01');
  assert.equal(escapeToken('node.example.org'), 'node%2Eexample%2Eorg');
  assert.equal(escapeToken('a b*c>d%'), 'a%20b%2Ac%3Ed%25');
  assert.equal(escapeToken('\u0000\r\n\u007f'), '%00%0D%0A%7F');
  assert.equal(escapeToken('é'), '%C3%A9');
  assert.equal(escapeToken('_'), '%5F');
  assert.equal(escapeToken('__'), '__');
});

test('escapeToken() refuses what cannot come back', () => {
  assert.throws(() => escapeToken(''), SubjectError);
  assert.throws(() => escapeToken('a\ud800'), SubjectError);
});

test('unescapeToken() is the inverse of escapeToken()', () => {
  fc.assert(
    fc.property(NAME, (name) => {
      const token = escapeToken(name);
      assert.match(token, /^[A-Za-z0-9_~=:@+%-]+$/);
      assert.equal(unescapeToken(token), name);
    }),
    { numRuns: 2_000 },
  );
});

test('unescapeToken() answers a name that is written so, or throws SubjectError', () => {
  const token = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[%0-9A-Fa-f_.]{0,12}$/),
  );
  fc.assert(
    fc.property(token, (text) => {
      try {
        assert.equal(escapeToken(unescapeToken(text)), text);
      } catch (cause) {
        assert.ok(cause instanceof SubjectError, String(cause));
      }
    }),
    { numRuns: 5_000 },
  );
});
