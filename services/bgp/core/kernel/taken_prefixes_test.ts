import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { otherRoute } from '../../testing/fake_kernel.ts';
import { Fixture } from '../../testing/kernel_fixture.ts';

const OURS = '10.244.85.192/26 via 192.168.80.101';

test('others are never overridden, whatever the metric of their route', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const other = otherRoute('10.244.85.192/26', 100);
  sync.takeInitial([], [other]);
  fixture.learn({});
  assert.deepEqual([kernel.log, sync.isDone], [[], true]);
  const problem =
    'Cannot add route "10.244.85.192/26 via 192.168.80.101": another owner has a route to that prefix';
  assert.deepEqual(sync.problems, [problem]);
  assert.equal(sync.stateOf(other.prefix).problem, problem);
  sync.noteOthers({ kind: 'ways', other: { action: 'deleted', route: other } });
  assert.deepEqual([kernel.log.splice(0), sync.problems], [[OURS], []], 'at once');
  sync.noteOthers({ kind: 'ways', other: { action: 'new', route: other } });
  assert.deepEqual([kernel.log.splice(0), sync.problems], [[`Deleted ${OURS}`], [problem]]);
  sync.resync();
  assert.deepEqual([kernel.log.splice(0), sync.problems], [[OURS], []], 'news that nobody told');
});

test('a reading finds who has taken a prefix of ours, and is no repair', () => {
  const fixture = new Fixture().learn({});
  const { kernel, sync } = fixture;
  kernel.log.length = 0;
  kernel.routes.clear();
  kernel.foreign.add('10.244.85.192/26');
  sync.resync();
  assert.deepEqual([kernel.log, fixture.repaired], [[], []]);
  assert.match(sync.problems.join(), /another owner has a route/);
  kernel.foreign.clear();
  sync.resync();
  assert.deepEqual([kernel.log, sync.problems], [[OURS], []]);
});

test("a peer's gateway is not used where somebody else has a route to the peer", () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const [address, gateway] = [parseAddress('172.16.0.9'), parseAddress('192.168.80.1')];
  const other = otherRoute('172.16.0.9/32', 100);
  sync.noteOthers({ kind: 'ways', other: { action: 'new', route: other } });
  fixture.more = { statics: [{ address, gateway }] };
  fixture.configure({});
  assert.deepEqual(kernel.describe(), []);
  assert.match(sync.problems.join(), /"172.16.0.9\/32 via 192.168.80.1": another owner/);
  sync.noteOthers({ kind: 'ways', other: { action: 'deleted', route: other } });
  assert.deepEqual([kernel.describe(), sync.problems], [['172.16.0.9/32 via 192.168.80.1'], []]);
});

test("a pod's routes go with its interface", () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const other = { ...otherRoute('10.244.58.193/32'), interfaceIndex: 9 };
  sync.takeInitial([], [other]);
  fixture.learn({ prefix: '10.244.58.193/32' });
  assert.deepEqual(kernel.log, []);
  const news = { kind: 'pod-link-down', interfaceIndex: 9 } as const;
  assert.equal(sync.concerns(news), false, 'nothing is read or asked for it');
  sync.noteOthers(news);
  assert.deepEqual(kernel.log, ['10.244.58.193/32 via 192.168.80.101']);
});
