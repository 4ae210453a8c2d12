// The limit: the same routes in batches that were encoded before the clock ran.
import { MessageWriter, NetlinkSocket, systemLibc, withNetns } from '@calico/netlink';
import { NEXT_HOP, SPACE_BASE } from './world.ts';

const BATCH = 256;
const RTM_NEWROUTE = 24;
const RTM_NEWNEXTHOP = 104;
const REQUEST_CREATE_EXCL = 0x1 | 0x400 | 0x200;
const ACK = 0x4;
const AF_INET = 2;
const BIRD = 12;
const MAIN = 254;
const UNICAST = 1;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, NH_ID: 30 } as const;
const NHA = { ID: 1, OIF: 5, GATEWAY: 6 } as const;
const OBJECT = 7;
/** Of the arena's only interface: the first after lo. */
const INTERFACE = 2;
const BUFFER_BYTES = 4 * 1024 * 1024;
const gateway = NEXT_HOP.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);

export type RawCost = { readonly seconds: number; readonly cpu: number };

/**
 * What `count` /24 routes into the namespace's table cost, in seconds.
 * @param byObject whether they refer to a nexthop object
 */
export function rawCost(namespace: string, count: number, byObject: boolean): RawCost {
  const options = { sendBufferBytes: BUFFER_BYTES, receiveBufferBytes: BUFFER_BYTES };
  const socket = withNetns(`/var/run/netns/${namespace}`, () => {
    return new NetlinkSocket(systemLibc(), options);
  });
  try {
    if (byObject) deliver(socket, nextHopObject());
    const batches: Uint8Array[] = [];
    for (let from = 0; from < count; from += BATCH) {
      batches.push(batch(from, Math.min(count, from + BATCH), byObject));
    }
    const before = performance.now();
    const cpuBefore = process.threadCpuUsage();
    for (const each of batches) deliver(socket, each);
    const cpu = process.threadCpuUsage(cpuBefore);
    return {
      seconds: (performance.now() - before) / 1000,
      cpu: (cpu.user + cpu.system) / 1e6,
    };
  } finally {
    socket.close();
  }
}

/** Throws when the answer is another than the one acknowledgement of the last message. */
function deliver(socket: NetlinkSocket, bytes: Uint8Array): void {
  socket.send(bytes);
  const answer = socket.receive();
  const isFine =
    answer.kind === 'datagram' &&
    new DataView(answer.bytes.buffer, answer.bytes.byteOffset).getInt32(16, true) === 0;
  if (!isFine) throw new Error('Cannot add raw routes: the kernel has refused one');
}

function nextHopObject(): Uint8Array {
  const writer = new MessageWriter().begin(RTM_NEWNEXTHOP, REQUEST_CREATE_EXCL | ACK, 1);
  writer.u8(AF_INET).u8(0).u8(BIRD).u8(0).u32(0).attributeU32(NHA.ID, OBJECT);
  writer.attributeU32(NHA.OIF, INTERFACE).attributeU32be(NHA.GATEWAY, gateway).end();
  return writer.bytes;
}

function batch(from: number, to: number, byObject: boolean): Uint8Array {
  const writer = new MessageWriter(64 * 1024);
  for (let index = from; index < to; index++) {
    writer.begin(RTM_NEWROUTE, REQUEST_CREATE_EXCL | (index === to - 1 ? ACK : 0), index);
    writer.u8(AF_INET).u8(24).u8(0).u8(0).u8(MAIN).u8(BIRD).u8(0).u8(UNICAST).u32(0);
    writer.attributeU32be(RTA.DST, SPACE_BASE + index * 256);
    if (byObject) writer.attributeU32(RTA.NH_ID, OBJECT);
    else writer.attributeU32(RTA.OIF, INTERFACE).attributeU32be(RTA.GATEWAY, gateway);
    writer.end();
  }
  return writer.bytes;
}
