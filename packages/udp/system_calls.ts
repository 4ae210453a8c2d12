// The calls that UDP sockets need besides those of @calico/netlink; by FFI, in Node as in Deno.
import koffi from 'koffi';

/** A negative result means: see `errno()`. */
export interface SystemCalls {
  connect(fd: number, address: Uint8Array): number;
  /** @param address receives the sender; 28 bytes */
  receiveFrom(fd: number, buffer: Uint8Array, address: Uint8Array): number;
  /** @param program struct sock_filter each, 8 bytes */
  attachFilter(fd: number, program: Uint8Array): number;
  /** Makes an eventfd unreadable again. */
  clearEvent(fd: number): number;
  errno(): number;
}

const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOCK_FPROG_BYTES = 16;

let loaded: SystemCalls | undefined;

export function systemCalls(): SystemCalls {
  loaded ??= load();
  return loaded;
}

function load(): SystemCalls {
  const libc = koffi.load('libc.so.6');
  const program = koffi.struct({ len: 'uint16_t', filter: 'uint8_t *' });
  const connect = libc.func('int connect(int, void*, uint32_t)');
  const recvfrom = libc.func('long recvfrom(int, void*, size_t, int, void*, void*)');
  const attach = libc.func('setsockopt', 'int', [
    'int',
    'int',
    'int',
    koffi.pointer(program),
    'uint32_t',
  ]);
  const clear = libc.func('int eventfd_read(int, void*)');
  const addressLength = new Uint8Array(4);
  const count = new Uint8Array(8);
  return {
    connect: (fd, address) => Number(connect(fd, address, address.length)),
    receiveFrom(fd, buffer, address) {
      addressLength[0] = address.length;
      return Number(recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT, address, addressLength));
    },
    attachFilter(fd, filter) {
      const value = { len: filter.length / 8, filter };
      return Number(attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, SOCK_FPROG_BYTES));
    },
    clearEvent: (fd) => Number(clear(fd, count)),
    errno: () => koffi.errno(),
  };
}
