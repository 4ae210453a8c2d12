// A process that plays many peers from many addresses of its namespace. A line of JSON is an order, a
// line of JSON answers it; see herd.ts.
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Prefix } from '@calico/ip';
import type { Order } from './herd.ts';
import { Member } from './member.ts';

const members = new Map<string, Member>();
const strangers: Socket[] = [];
const floods = new Map<string, { isOn: boolean; updates: number }>();
/** Prefixes per step of a flood. */
const WAVE = 500;

async function carryOut(order: Order): Promise<unknown> {
  switch (order.kind) {
    case 'create':
      for (const { address, asn, routes } of order.members) {
        const member = new Member(address, asn, order.holdTimeSeconds);
        member.routes = prefixes(routes);
        members.set(address, member);
      }
      return {};
    case 'dial':
      for (const address of order.addresses) memberAt(address).dial(order.target);
      return {};
    case 'listen':
      await Promise.all(order.addresses.map(listen));
      return {};
    case 'pause':
      memberAt(order.address).pause();
      return {};
    case 'resume':
      memberAt(order.address).resume();
      return {};
    case 'announce':
      memberAt(order.address).announce(prefixes(order.routes), order.version);
      return {};
    case 'flood':
      void flood(memberAt(order.address), prefixes(order.routes));
      return {};
    case 'calm': {
      const running = floods.get(order.address);
      if (running !== undefined) running.isOn = false;
      return { updates: running?.updates ?? 0 };
    }
    case 'state':
      return { members: Array.from(members.values(), (member) => member.state) };
    case 'pester':
      return pester(order);
    case 'close':
      for (const member of members.values()) member.close();
      members.clear();
      return {};
    default:
      return order satisfies never;
  }
}

function memberAt(address: string): Member {
  const member = members.get(address);
  if (member === undefined) throw new Error(`Cannot find member "${address}"`);
  return member;
}

function listen(address: string): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => memberAt(address).adopt(socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(179, address, resolve);
  });
}

/** Announces and withdraws as fast as the connection takes it. */
async function flood(member: Member, routes: readonly Prefix[]): Promise<void> {
  const running = { isOn: true, updates: 0 };
  floods.set(member.address, running);
  for (let version = 1; running.isOn; version++) {
    for (let at = 0; at < routes.length && running.isOn; at += WAVE) {
      const wave = routes.slice(at, at + WAVE);
      const goesOn = version % 3 === 0 ? member.withdraw(wave) : member.announce(wave, version);
      running.updates += wave.length;
      if (!goesOn) await member.drained();
    }
    // Let keepalives out.
    await sleep(0);
  }
}

/** Strangers: those who look and leave, those who stay silent, those who talk nonsense. */
async function pester({ address, target, count, manner }: Order & { kind: 'pester' }) {
  const opened = Array.from({ length: count }, async (_, index) => {
    const socket = connect({ host: target, port: 179, localAddress: address });
    socket.on('error', () => {});
    await new Promise((resolve) => {
      socket.once('connect', resolve);
      socket.once('close', resolve);
    });
    if (manner === 'scan') socket.destroy();
    else strangers.push(socket);
    if (manner !== 'nonsense') return;
    const nonsense = Uint8Array.from({ length: 1 + ((index * 37) % 300) }, (_each, at) =>
      at < index % 20 ? 0xff : (index * 31 + at * 17) & 0xff,
    );
    socket.write(nonsense);
  });
  await Promise.all(opened);
  return {};
}

function prefixes({ first, count }: { readonly first: number; readonly count: number }): Prefix[] {
  return Array.from({ length: count }, (_, index) => ({
    family: 4,
    value: BigInt(first + index * 256),
    length: 24,
  }));
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line) as Order).catch((cause: unknown) => ({
    problem: String(cause),
  }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
