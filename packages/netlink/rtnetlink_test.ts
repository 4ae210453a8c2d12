import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetlinkDecodeError, NetlinkError } from './errors.ts';
import { FakeLibc, messageBytes, type Step } from './fake_libc.ts';
import { LINKS, ROUTES } from './goldens.ts';
import { RtNetlink } from './rtnetlink.ts';
import type { Request } from './types.ts';
import { NLM_F, NLMSG, RTM } from './uapi.ts';

const LINK = LINKS[1]?.hex ?? '';
const ROUTE = ROUTES[1]?.hex ?? '';
const sequenceOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
const done = (sequence: number, errno = '00000000'): Step => ({
  bytes: messageBytes(NLMSG.DONE, NLM_F.MULTI, sequence, errno),
});
const link = (sequence: number, flags = 0): Step => ({
  bytes: messageBytes(RTM.NEWLINK, NLM_F.MULTI | flags, sequence, LINK),
});
const refused = (sequence: number, errno: number): Step => {
  const body = new Uint8Array(20);
  new DataView(body.buffer).setInt32(0, -errno, true);
  return { bytes: messageBytes(NLMSG.ERROR, 0x100, sequence, Buffer.from(body).toString('hex')) };
};

test('links() starts over when the table changed during the dump', () => {
  const libc = new FakeLibc();
  let dumps = 0;
  libc.answer = (bytes) => {
    dumps += 1;
    const sequence = sequenceOf(bytes);
    return [link(sequence), link(sequence, dumps < 3 ? NLM_F.DUMP_INTR : 0), done(sequence)];
  };
  assert.equal(new RtNetlink(libc).links().length, 2);
  assert.equal(dumps, 3);
});

test('links() gives up with EINTR when the table changes all the time', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [link(sequenceOf(bytes), NLM_F.DUMP_INTR), done(sequenceOf(bytes))];
  assert.throws(() => new RtNetlink(libc).links(), { name: 'NetlinkError', code: 'EINTR' });
});

test('links() starts over when the receive buffer overflowed', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => {
    const sequence = sequenceOf(bytes);
    const lost = libc.sent.length === 1 ? [{ errno: 105 }] : [];
    return [link(sequence), ...lost, { errno: 4 }, done(sequence)];
  };
  assert.equal(new RtNetlink(libc).links().length, 1);
  assert.equal(libc.sent.length, 2);
});

test('send() is repeated after EINTR, and another failure is thrown', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [done(sequenceOf(bytes))];
  libc.sendErrors.push(4, 4);
  assert.deepEqual(new RtNetlink(libc).links(), []);
  libc.sendErrors.push(1);
  assert.throws(() => new RtNetlink(libc).links(), { name: 'NetlinkError', code: 'EPERM' });
});

test('a message that cannot be decoded leaves nothing behind in the queue', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => {
    const sequence = sequenceOf(bytes);
    const broken = { bytes: messageBytes(RTM.NEWLINK, 2, sequence, '0000') };
    return libc.sent.length === 1
      ? [broken, link(sequence), done(sequence)]
      : [link(sequence), done(sequence)];
  };
  const netlink = new RtNetlink(libc);
  assert.throws(() => netlink.links(), NetlinkDecodeError);
  assert.equal(libc.queue.length, 0);
  assert.equal(netlink.links().length, 1);
});

test('nobody waits for the end of what cannot be decoded', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => {
    const sequence = sequenceOf(bytes);
    const broken = messageBytes(RTM.NEWLINK, NLM_F.MULTI, sequence, '0000');
    const end = messageBytes(NLMSG.DONE, NLM_F.MULTI, sequence, '00000000');
    return [{ bytes: Buffer.concat([broken, end]) }];
  };
  let waits = 0;
  libc.poll = () => {
    waits += 1;
    return 0;
  };
  const netlink = new RtNetlink(libc);
  assert.throws(() => netlink.links(), NetlinkDecodeError);
  assert.throws(() => netlink.linkByIndex(1), NetlinkDecodeError);
  assert.equal(waits, 0);
});

test('routes() passes only what the filter asks for, whatever the kernel sends', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [
    { bytes: messageBytes(RTM.NEWROUTE, 2, sequenceOf(bytes), ROUTE) },
    done(sequenceOf(bytes)),
  ];
  const netlink = new RtNetlink(libc);
  assert.equal(netlink.routes({ family: 4, protocol: 12, interfaceIndex: 3 }).length, 1);
  assert.equal(netlink.routes({ family: 4, protocol: 80 }).length, 0);
  assert.equal(netlink.routes({ family: 4, table: 100 }).length, 0);
  assert.equal(netlink.routes({ family: 4, interfaceIndex: 4 }).length, 0);
  assert.equal(netlink.routes({ family: 6 }).length, 0);
});

test('routes() of a table that does not exist are none; other refusals are thrown', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [done(sequenceOf(bytes), 'feffffff')];
  assert.deepEqual(new RtNetlink(libc).routes({ family: 4, table: 77 }), []);
  libc.answer = (bytes) => [refused(sequenceOf(bytes), 1)];
  assert.throws(() => new RtNetlink(libc).routes({ family: 4 }), { code: 'EPERM' });
});

test('linkByName() is undefined when the kernel knows no such device', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [refused(sequenceOf(bytes), 19)];
  assert.equal(new RtNetlink(libc).linkByName('nope'), undefined);
  assert.equal(new RtNetlink(libc).linkByName('name-longer-than-allowed'), undefined);
  assert.equal(libc.sent.length, 1);
});

test('linkByName() waits for an answer that is not there at once', () => {
  const libc = new FakeLibc();
  libc.late.push({ bytes: messageBytes(RTM.NEWLINK, 0, 1, LINK) }, refused(1, 0));
  assert.notEqual(new RtNetlink(libc).linkByName('ens33'), undefined);
  assert.equal(libc.sent.length, 1);
});

test('linkByName() asks again when no answer came, and does not take silence for "no such device"', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) =>
    libc.sent.length === 1 ? [] : [link(sequenceOf(bytes)), refused(sequenceOf(bytes), 0)];
  assert.notEqual(new RtNetlink(libc).linkByName('ens33'), undefined);
  assert.equal(libc.sent.length, 2);
  libc.answer = () => [];
  assert.throws(() => new RtNetlink(libc).linkByName('ens33'), {
    code: 'ETIMEDOUT',
    message: 'Cannot get link "ens33": 10 requests had no answer',
  });
});

test('links() asks again when a dump has no end, and names the silence', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) =>
    libc.sent.length === 1 ? [] : [link(sequenceOf(bytes)), done(sequenceOf(bytes))];
  assert.equal(new RtNetlink(libc).links().length, 1);
  assert.equal(libc.sent.length, 2);
  libc.answer = (bytes) => [link(sequenceOf(bytes))];
  assert.throws(() => new RtNetlink(libc).links(), {
    code: 'ETIMEDOUT',
    message: 'Cannot list links: 10 requests had no answer',
  });
});

const deletes = (count: number): Request[] =>
  Array.from({ length: count }, (_, index) => ({ kind: 'link-delete', index: index + 1 }));

test('execute() sends at most 256 requests at once and finds the ones that failed', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => {
    const first = sequenceOf(bytes);
    const last = first + bytes.length / 32 - 1;
    return [refused(first + 2, 19), refused(last, 0)];
  };
  assert.deepEqual(new RtNetlink(libc).execute(deletes(600)), [
    { index: 2, code: 'ENODEV', message: '' },
    { index: 258, code: 'ENODEV', message: '' },
    { index: 514, code: 'ENODEV', message: '' },
  ]);
  assert.deepEqual(
    libc.sent.map((bytes) => bytes.length / 32),
    [256, 256, 88],
  );
});

test('execute() says ENOBUFS for requests whose answers were lost', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [refused(sequenceOf(bytes), 17), { errno: 105 }];
  assert.deepEqual(
    new RtNetlink(libc).execute(deletes(2)).map(({ code }) => code),
    ['EEXIST', 'ENOBUFS'],
  );
});

test('execute() sends once, and says ENOBUFS for each request when no answer comes', () => {
  const libc = new FakeLibc();
  assert.deepEqual(
    new RtNetlink(libc).execute(deletes(2)).map(({ code }) => code),
    ['ENOBUFS', 'ENOBUFS'],
  );
  assert.equal(libc.sent.length, 1);
});

test('execute() reports a send that failed for each of its requests', () => {
  const libc = new FakeLibc();
  libc.sendErrors.push(105);
  assert.deepEqual(
    new RtNetlink(libc).execute(deletes(2)).map(({ index, code }) => [index, code]),
    [
      [0, 'ENOBUFS'],
      [1, 'ENOBUFS'],
    ],
  );
});

test('a socket that cannot be opened is a NetlinkError', () => {
  class Refusing extends FakeLibc {
    override socket(): number {
      return -1;
    }
  }
  assert.throws(() => new RtNetlink(new Refusing()), NetlinkError);
});
