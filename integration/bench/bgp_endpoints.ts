// Feeder and receiver: one process that knows as little of BGP as it can, so that it costs little.
//   node bgp_endpoints.ts COUNT    prints {"start": ms, "received": ms} once all prefixes arrived
import { connect, type Socket } from 'node:net';
import { Afi, DEFAULT_CONTEXT, encodeMessage, KEEPALIVE, Safi } from '@calico/bgp-wire';
import { FEEDER, RECEIVER, SPEAKER, workload } from './bgp_roles.ts';

const HEADER = 19;
const count = Number(process.argv[2]);
const everything = Buffer.concat(workload(count));

type Role = typeof FEEDER;

/** Resolves when established; `onUpdate` gets the body of every UPDATE. */
async function session(
  role: Role,
  routerId: number,
  onUpdate: (body: Buffer) => void,
): Promise<Socket> {
  for (;;) {
    const socket = await attempt(role, routerId, onUpdate);
    if (socket !== undefined) return socket;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function attempt(
  { address, asn }: Role,
  routerId: number,
  onUpdate: (body: Buffer) => void,
): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<Socket | undefined>();
  const socket = connect({
    host: SPEAKER.address,
    port: 179,
    localAddress: address,
    noDelay: true,
  });
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => resolve(undefined));
  socket.on('close', () => resolve(undefined));
  socket.on('connect', () => {
    const capabilities = [
      { kind: 'multiprotocol' as const, afi: Afi.Ipv4, safi: Safi.Unicast },
      { kind: 'four-octet-as' as const, asn },
    ];
    const open = { kind: 'open' as const, asn, holdTimeSeconds: 180, routerId, capabilities };
    socket.write(encodeMessage(open, DEFAULT_CONTEXT));
  });
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    while (rest.length - at >= HEADER) {
      const length = rest.readUInt16BE(at + 16);
      if (rest.length - at < length) break;
      const type = rest[at + 18];
      if (type === 1) socket.write(encodeMessage(KEEPALIVE, DEFAULT_CONTEXT));
      else if (type === 4) resolve(socket);
      else if (type === 2) onUpdate(rest.subarray(at + HEADER, at + length));
      at += length;
    }
    rest = rest.subarray(at);
  });
  return promise;
}

const done = Promise.withResolvers<number>();
let received = 0;
const receiver = await session(RECEIVER, 3, (body) => {
  const withdrawn = body.readUInt16BE(0);
  let at = 4 + withdrawn + body.readUInt16BE(2 + withdrawn);
  for (; at < body.length; received++) at += 1 + Math.ceil((body[at] ?? 0) / 8);
  if (received >= count) done.resolve(Date.now());
});
const feeder = await session(FEEDER, 2, () => {});
await new Promise((resolve) => setTimeout(resolve, 1_000));
const start = Date.now();
feeder.write(everything);
const end = await done.promise;
process.stdout.write(`${JSON.stringify({ start, received: end })}\n`);
// The sessions stay until whoever started this has seen enough.
process.stdin.once('data', () => {
  feeder.destroy();
  receiver.destroy();
  process.exit(0);
});
