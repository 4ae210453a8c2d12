// Two engines on a wire with loss and delay, under a fake clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { type Address, formatAddress, parseAddress } from '@calico/ip';
import { BfdEngine } from './engine.ts';
import type { BfdSettings, BfdStatus, BfdTarget } from './types.ts';

const SETTINGS: BfdSettings = {
  minReceiveMs: 300,
  minTransmitMs: 300,
  detectMultiplier: 3,
  isMultihop: false,
};

class Wire {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly #engines = new Map<string, BfdEngine>();
  readonly #statuses = new Map<string, BfdStatus[]>();
  /** Answers whether a datagram gets lost. */
  isLost: (from: string) => boolean = () => false;
  /** Answers whether what arrives at an end stays in its receive queue. */
  isStalled: (name: string) => boolean = () => false;
  readonly #queue: (() => void)[] = [];
  sent = 0;
  #seed = 7;

  random = (): number => {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  };

  engine(name: string, openFails: () => boolean = () => false): BfdEngine {
    const own = parseAddress(name);
    this.#statuses.set(name, []);
    const engine = new BfdEngine({
      clock: this.clock,
      random: this.random,
      open: ({ address }) => {
        if (openFails()) throw new Error('Cannot bind UDP port "3784": EADDRINUSE');
        return { send: (bytes) => this.#carry(own, address, bytes), close: () => {} };
      },
      drain: () => {
        for (const deliver of this.#queue.splice(0)) deliver();
      },
      onStatus: (status) => this.#statuses.get(name)?.push(status),
    });
    this.#engines.set(name, engine);
    return engine;
  }

  states(name: string): string[] {
    return (this.#statuses.get(name) ?? []).map(
      ({ state, cause, problem }) => problem || `${NAMES[state]} ${cause ?? ''}`.trim(),
    );
  }

  last(name: string): BfdStatus | undefined {
    return this.#statuses.get(name)?.at(-1);
  }

  #carry(from: Address, to: Address, bytes: Uint8Array): void {
    this.sent += 1;
    if (this.isLost(formatAddress(from))) return;
    const name = formatAddress(to);
    const deliver = (): void => this.#engines.get(name)?.receive(from, false, bytes);
    this.clock.setTimer(1 + this.random(), () => {
      if (this.isStalled(name)) this.#queue.push(deliver);
      else deliver();
    });
  }
}

const NAMES = ['AdminDown', 'Down', 'Init', 'Up'];

function target(address: string, settings: Partial<BfdSettings> = {}): BfdTarget {
  return {
    address: parseAddress(address),
    sourceAddress: undefined,
    settings: { ...SETTINGS, ...settings },
  };
}

function pair(): { wire: Wire; a: BfdEngine; b: BfdEngine } {
  const wire = new Wire();
  const a = wire.engine('10.0.0.1');
  const b = wire.engine('10.0.0.2');
  a.configure([target('10.0.0.2')]);
  b.configure([target('10.0.0.1')]);
  return { wire, a, b };
}

test('both ends come up, and stay up while a third of the packets gets lost', () => {
  const { wire } = pair();
  wire.clock.advance(3_000);
  assert.equal(wire.states('10.0.0.1').at(-1), 'Up');
  assert.equal(wire.states('10.0.0.2').at(-1), 'Up');
  const { transmitMs, detectionMs } = wire.last('10.0.0.1') ?? {};
  assert.deepEqual([transmitMs, detectionMs], [300, 900]);
  const changes = wire.states('10.0.0.1').length;
  let carried = 0;
  wire.isLost = () => (carried += 1) % 3 === 0;
  wire.sent = 0;
  wire.clock.advance(60_000);
  assert.equal(wire.states('10.0.0.1').length, changes);
  // 300 ms less an eighth on average, both ends.
  assert.ok(wire.sent > 400 && wire.sent < 535, `${wire.sent} packets`);
});

test('a path that is cut one way is down on both ends within a second, and comes back', () => {
  const { wire } = pair();
  wire.clock.advance(3_000);
  wire.isLost = (from) => from === '10.0.0.1';
  wire.clock.advance(1_000);
  assert.equal(wire.states('10.0.0.2').at(-1), 'Down expired');
  assert.equal(wire.states('10.0.0.1').includes('Down signaled'), true);
  wire.isLost = () => false;
  wire.clock.advance(4_000);
  assert.equal(wire.states('10.0.0.1').at(-1), 'Up');
  assert.equal(wire.states('10.0.0.2').at(-1), 'Up');
});

test('a process that starts anew, and one that is told to stop, are no failures', () => {
  const { wire, b } = pair();
  wire.clock.advance(3_000);
  wire.engine('10.0.0.2').configure([target('10.0.0.1')]);
  b.receive(parseAddress('10.0.0.9'), false, new Uint8Array(3));
  wire.clock.advance(3_000);
  assert.ok(wire.states('10.0.0.1').includes('Down restarted'));
  const again = pair();
  again.wire.clock.advance(3_000);
  void again.b.stop();
  again.wire.clock.advance(10);
  assert.equal(again.wire.states('10.0.0.1').at(-1), 'Down administrative');
});

test('changed intervals and a removed target take effect without disturbing others', () => {
  const { wire, a } = pair();
  wire.clock.advance(3_000);
  const { since } = wire.last('10.0.0.2') ?? {};
  a.configure([target('10.0.0.2', { minTransmitMs: 500, detectMultiplier: 10 })]);
  wire.clock.advance(3_000);
  const now = wire.last('10.0.0.2');
  assert.deepEqual([now?.since, now?.detectionMs], [since, 5_000]);
  a.configure([]);
  wire.clock.advance(20);
  assert.equal(wire.states('10.0.0.2').at(-1), 'Down administrative');
});

test('an end that is not watched any more says so for as long as the other would wait', () => {
  const { wire, a } = pair();
  wire.clock.advance(3_000);
  let lost = 0;
  wire.isLost = (from) => from === '10.0.0.1' && (lost += 1) <= 2;
  a.configure([]);
  wire.clock.advance(3_000);
  assert.deepEqual([wire.states('10.0.0.2').at(-1), lost], ['Down administrative', 4]);
  const sent = wire.sent;
  a.configure([target('10.0.0.2')]);
  a.configure([]);
  wire.clock.advance(100);
  assert.ok(wire.sent > sent);
});

test('a process that ends says so three times', async () => {
  const { wire, a } = pair();
  wire.clock.advance(3_000);
  let said = 0;
  wire.isLost = (from) => from === '10.0.0.1' && (said += 1) <= 2;
  const ended = a.stop();
  for (let turn = 0; turn < 3; turn++) {
    wire.clock.advance(40);
    await Promise.resolve();
  }
  await ended;
  assert.deepEqual([wire.states('10.0.0.2').at(-1), said], ['Down administrative', 3]);
});

test('a packet belongs to the session that it names, wherever it comes from', () => {
  const wire = new Wire();
  const replies: Uint8Array[] = [];
  const states: string[] = [];
  const engine = new BfdEngine({
    clock: wire.clock,
    random: wire.random,
    open: () => ({ send: (bytes) => void replies.push(bytes), close: () => {} }),
    drain: () => {},
    onStatus: ({ state }) => void states.push(NAMES[state] ?? ''),
  });
  engine.configure([target('10.0.0.2', { isMultihop: true })]);
  const init = Uint8Array.from([0x20, 0x80, 3, 24, 0, 0, 0, 9, ...new Uint8Array(16)]);
  init.set(replies[0]?.subarray(4, 8) ?? [], 8);
  const other = parseAddress('192.0.2.7');
  engine.receive(other, false, init);
  assert.equal(states.at(-1), 'Down');
  engine.receive(other, true, init);
  assert.equal(states.at(-1), 'Up');
});

test('packets of others, and of the wrong hop count, change nothing', () => {
  const { wire, a } = pair();
  wire.clock.advance(3_000);
  const changes = wire.states('10.0.0.1').length;
  const down = Uint8Array.from([0x20, 0x40, 3, 24, 0, 0, 0, 9, ...new Uint8Array(16)]);
  a.receive(parseAddress('10.0.0.3'), false, down);
  a.receive(parseAddress('10.0.0.2'), true, down);
  down[11] = 1;
  a.receive(parseAddress('10.0.0.2'), false, down);
  assert.equal(wire.states('10.0.0.1').length, changes);
});

test('a channel that cannot be opened is said, and opened later', () => {
  const wire = new Wire();
  let isTaken = true;
  const a = wire.engine('10.0.0.1', () => isTaken);
  wire.engine('10.0.0.2').configure([target('10.0.0.1')]);
  a.configure([target('10.0.0.2')]);
  assert.match(wire.states('10.0.0.1')[0] ?? '', /EADDRINUSE/);
  isTaken = false;
  wire.clock.advance(8_000);
  assert.equal(wire.states('10.0.0.1').at(-1), 'Up');
  void a.stop();
});

test('packets that waited while the thread did not run have arrived in time', () => {
  const { wire } = pair();
  wire.clock.advance(3_000);
  const changes = wire.states('10.0.0.1').length;
  wire.isStalled = (name) => name === '10.0.0.1';
  wire.clock.advance(5_000);
  wire.isStalled = () => false;
  assert.equal(wire.states('10.0.0.1').length, changes);
});

function onLink(name: string, interfaceIndex: number): BfdTarget {
  return { ...target('fe80::1'), link: { interface: name, interfaceIndex } };
}

test('neighbours with one link-local address on two links are two', () => {
  const { clock, random } = new Wire();
  const address = parseAddress('fe80::1');
  const opened: (string | undefined)[] = [];
  const told: string[] = [];
  const engine = new BfdEngine({
    clock,
    random,
    open: ({ link }) => {
      opened.push(link?.interface);
      return { send: () => {}, close: () => void opened.push(`no ${link?.interface}`) };
    },
    drain: () => {},
    onStatus: (status) => void told.push(`${status.interface} ${NAMES[status.state]}`),
  });
  engine.configure([onLink('eth1', 3), onLink('eth2', 4)]);
  told.length = 0;
  const down = Uint8Array.from([0x20, 0x40, 3, 24, 0, 0, 0, 9, ...new Uint8Array(16)]);
  // Of an interface that is none of theirs, and of none at all.
  engine.receive(address, false, down, 5);
  engine.receive(address, false, down);
  assert.deepEqual(told, []);
  engine.receive(address, false, down, 4);
  assert.deepEqual(new Set(told), new Set(['eth2 Init']));
  // The interface has gone and come back as another one.
  opened.length = 0;
  engine.configure([onLink('eth1', 3), onLink('eth2', 7)]);
  assert.deepEqual(opened, ['eth2']);
  clock.advance(10_000);
  assert.deepEqual(opened, ['eth2', 'no eth2']);
});
