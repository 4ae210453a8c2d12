import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProfileUsers } from './profile_users.ts';

test('ProfileUsers knows who inherits from any of some profiles', () => {
  const users = new ProfileUsers<{ readonly name: string }>();
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  users.add(['kns.x', 'kns.x', 'ksa.x.web'], a);
  users.add(['kns.x'], b);
  users.add(['kns.y'], c);
  assert.deepEqual([...users.of(['kns.x', 'ksa.x.web'])], [a, b]);
  assert.deepEqual([...users.of(['kns.y', 'kns.none'])], [c]);
  users.delete(['kns.x', 'kns.x', 'ksa.x.web'], a);
  users.delete(['kns.y'], a);
  assert.deepEqual([...users.of(['kns.x', 'ksa.x.web', 'kns.y'])], [b, c]);
  users.delete(['kns.x'], b);
  users.delete(['kns.y'], c);
  assert.equal(users.of(['kns.x', 'kns.y']).size, 0);
});
