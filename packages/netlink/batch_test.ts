import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { RequestBatch } from './batch.ts';
import { FakeLibc, messageBytes } from './fake_libc.ts';
import { MessageCursor } from './message_reader.ts';
import { decodeRoute } from './route_codec.ts';
import { routeTemplate } from './route_template.ts';
import type { RequestFailure, Route } from './types.ts';
import { NLM_F, NLMSG } from './uapi.ts';

const ROUTE: Omit<Route, 'destination'> = {
  type: 'unicast',
  table: 254,
  protocol: 12,
  scope: 'global',
  nextHops: [{ gateway: parseAddress('192.168.80.101'), interfaceIndex: 2 }],
};

/** struct nlmsgerr. */
function answer(sequence: number, errno: number): { readonly bytes: Uint8Array } {
  const body = new DataView(new ArrayBuffer(20));
  body.setInt32(0, -errno, true);
  body.setUint32(4, 16, true);
  return {
    bytes: messageBytes(NLMSG.ERROR, 0x100, sequence, Buffer.from(body.buffer).toString('hex')),
  };
}

function messagesIn(bytes: Uint8Array): { sequence: number; flags: number; route?: Route }[] {
  const found = [];
  const message = new MessageCursor(bytes);
  while (message.next()) {
    const route = decodeRoute(message);
    found.push({ sequence: message.sequence, flags: message.flags, ...(route && { route }) });
  }
  return found;
}

test('what is written by a template is the request for that destination', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => [answer(messagesIn(bytes).at(-1)?.sequence ?? 0, 0)];
  const batch = new RequestBatch(libc);
  const words = [0x2001_0db8, 0, 0, 0x0001_0000] as const;
  const six = routeTemplate('replace', 6, { ...ROUTE, nextHops: [], nextHopId: 7 });
  batch.addRoute(routeTemplate('add', 4, ROUTE), 26, 0x0af4_55c0, 0, 0, 0);
  batch.addRoute(six, 112, ...words);
  batch.add({
    kind: 'route',
    action: 'add',
    route: { ...ROUTE, destination: parsePrefix('10.0.0.0/8') },
  });
  assert.equal(batch.count, 3);
  let failures: readonly RequestFailure[] | undefined;
  batch.submit((found) => {
    failures = found;
  });
  assert.equal(failures, undefined, 'nothing waits for the kernel');
  libc.finishSends();
  assert.deepEqual(failures, []);
  const sent = messagesIn(libc.sent[0] ?? new Uint8Array());
  assert.deepEqual(
    sent.map(({ route }) => route),
    [
      { ...ROUTE, destination: parsePrefix('10.244.85.192/26') },
      { ...ROUTE, destination: parsePrefix('2001:db8::1:0/112'), nextHops: [], nextHopId: 7 },
      { ...ROUTE, destination: parsePrefix('10.0.0.0/8') },
    ],
  );
  assert.deepEqual(
    sent.map(({ flags }) => (flags & NLM_F.ACK) !== 0),
    [false, false, true],
  );
  assert.equal(batch.count, 0);
});

test('failures are told by position; without the last answer nothing is certain', () => {
  const libc = new FakeLibc();
  const batch = new RequestBatch(libc);
  const template = routeTemplate('add', 4, ROUTE);
  const outcomes: (readonly RequestFailure[])[] = [];
  const submit = (): void => {
    for (let index = 0; index < 3; index++) batch.addRoute(template, 24, index << 8, 0, 0, 0);
    batch.submit((failures) => outcomes.push(failures));
    libc.finishSends();
  };
  libc.answer = (bytes) => {
    const [, second, third] = messagesIn(bytes);
    return [answer(second?.sequence ?? 0, 17), answer(third?.sequence ?? 0, 0)];
  };
  submit();
  libc.answer = () => [];
  submit();
  libc.sendErrors.push(4, 105);
  submit();
  libc.finishSends();
  assert.deepEqual(outcomes[0], [{ index: 1, code: 'EEXIST', message: '' }]);
  assert.deepEqual(
    outcomes[1]?.map(({ index, code }) => [index, code]),
    [
      [0, 'ENOBUFS'],
      [1, 'ENOBUFS'],
      [2, 'ENOBUFS'],
    ],
  );
  assert.equal(outcomes[2]?.length, 3);
});

test('a few are carried out at once', () => {
  const libc = new FakeLibc();
  libc.answer = (bytes) => messagesIn(bytes).map(({ sequence }) => answer(sequence, 3));
  const batch = new RequestBatch(libc);
  batch.addRoute(routeTemplate('delete', 4, { ...ROUTE, nextHops: [] }), 24, 0, 0, 0, 0);
  assert.deepEqual(batch.execute(), [{ index: 0, code: 'ESRCH', message: '' }]);
  libc.sendErrors.push(9);
  batch.add({ kind: 'nexthop-delete', id: 3 });
  assert.deepEqual(
    batch.execute().map(({ code }) => code),
    ['EBADF'],
  );
  assert.equal(batch.count, 0);
});

test('a long batch goes in pieces; where the kernel takes only some, the others follow', () => {
  const libc = new FakeLibc();
  const batch = new RequestBatch(libc);
  const template = routeTemplate('add', 4, ROUTE);
  for (let index = 0; index < 3_000; index++) batch.addRoute(template, 24, index << 8, 0, 0, 0);
  libc.answer = (bytes) =>
    messagesIn(bytes).flatMap(({ sequence, flags }) =>
      (flags & NLM_F.ACK) === 0 ? [] : [answer(sequence, 0)],
    );
  libc.sendAsync = (fd, datagrams, flags, done) =>
    FakeLibc.prototype.sendAsync.call(libc, fd, datagrams.slice(0, 3), flags, done);
  let failures: readonly RequestFailure[] | undefined;
  batch.submit((found) => {
    failures = found;
  });
  for (let call = 0; call < 2; call++) {
    assert.equal(failures, undefined);
    libc.finishSends();
  }
  assert.deepEqual(failures, []);
  assert.ok(libc.sent.every(({ length }) => length <= 32 * 1024));
  assert.equal(libc.sent.flatMap((bytes) => messagesIn(bytes)).length, 3_000);
});

/** Of 3,000 routes the kernel refuses the sixth; those that ask for an answer get one. */
function refuseSixth(bytes: Uint8Array): { readonly bytes: Uint8Array }[] {
  return messagesIn(bytes).flatMap(({ sequence, flags }) => {
    if (sequence === 6) return [answer(sequence, 17)];
    return (flags & NLM_F.ACK) === 0 ? [] : [answer(sequence, 0)];
  });
}

test('what the kernel has taken before it took no more has its own outcome', () => {
  const template = routeTemplate('add', 4, ROUTE);
  for (const isLater of [true, false]) {
    const libc = new FakeLibc();
    const batch = new RequestBatch(libc);
    for (let index = 0; index < 3_000; index++) batch.addRoute(template, 24, index << 8, 0, 0, 0);
    libc.answer = (bytes) => {
      if (libc.sent.length === 2) libc.sendErrors.push(12);
      return refuseSixth(bytes);
    };
    let failures: readonly RequestFailure[] = [];
    if (isLater) {
      batch.submit((found) => {
        failures = found;
      });
      libc.finishSends();
      libc.sendErrors.push(12);
      libc.finishSends();
    } else failures = batch.execute();
    const taken = libc.sent.flatMap((bytes) => messagesIn(bytes)).length;
    assert.ok(libc.sent.length === 2 && taken < 3_000);
    const [refused, ...rest] = failures;
    assert.deepEqual(refused, { index: 5, code: 'EEXIST', message: '' });
    assert.deepEqual(
      rest.map(({ index, code }) => [index, code]),
      Array.from({ length: 3_000 - taken }, (_, index) => [taken + index, 'ENOMEM']),
    );
  }
});

test('answers that are lost leave unknown only what comes after the last one heard', () => {
  const libc = new FakeLibc();
  const batch = new RequestBatch(libc);
  const template = routeTemplate('add', 4, ROUTE);
  for (let index = 0; index < 3_000; index++) batch.addRoute(template, 24, index << 8, 0, 0, 0);
  libc.answer = (bytes) => (libc.sent.length > 2 ? [] : refuseSixth(bytes));
  const [refused, ...rest] = batch.execute();
  const known = libc.sent.slice(0, 2).flatMap((bytes) => messagesIn(bytes)).length;
  assert.equal(refused?.index, 5);
  assert.deepEqual(
    rest.map(({ index, code }) => [index, code]),
    Array.from({ length: 3_000 - known }, (_, index) => [known + index, 'ENOBUFS']),
  );
  assert.match(rest[0]?.message ?? '', /unknown/);
});

test('what is submitted while the kernel works goes out when it is done, before that is told', () => {
  const libc = new FakeLibc();
  const batch = new RequestBatch(libc);
  const template = routeTemplate('add', 4, ROUTE);
  const told: string[] = [];
  libc.answer = (bytes) => {
    const [first, last] = messagesIn(bytes).map(({ sequence }) => sequence);
    return [answer(first ?? 0, libc.sent.length === 2 ? 17 : 0), answer(last ?? 0, 0)];
  };
  const submit = (name: string): void => {
    for (let index = 0; index < 2; index++) batch.addRoute(template, 24, index << 8, 0, 0, 0);
    batch.submit((failures) => {
      told.push(`${name} ${failures.map(({ code }) => code).join()} ${batch.isBusy}`);
    });
  };
  submit('first');
  submit('second');
  submit('third');
  assert.deepEqual([batch.count, libc.sent.length], [0, 0]);
  libc.finishSends();
  batch.close();
  assert.deepEqual([libc.sent.length, told], [1, ['first  true']], 'one at a time');
  libc.finishSends();
  libc.finishSends();
  assert.deepEqual(told, ['first  true', 'second EEXIST true', 'third  false']);
  assert.deepEqual([libc.sent.length, libc.closed.length], [3, 1]);
});

test('close() waits for what is under way', () => {
  const libc = new FakeLibc();
  const batch = new RequestBatch(libc);
  batch.addRoute(routeTemplate('delete', 4, { ...ROUTE, nextHops: [] }), 24, 0, 0, 0, 0);
  batch.submit(() => {});
  batch.close();
  batch.close();
  assert.equal(libc.closed.length, 0);
  libc.finishSends();
  assert.equal(libc.closed.length, 1);
});
