// libc by FFI; the same in Node and in Deno.
import koffi from 'koffi';
import type { Libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOCK_FILTER_BYTES = 8;
const SOCK_FPROG_BYTES = 16;
const POLLFD_BYTES = 8;
/** Of struct msghdr, for a socket that knows where to. */
const NO_ADDRESS = { name: null, nameLength: 0, control: null, controlLength: 0, flags: 0 };

let loaded: Libc | undefined;

/** The C library of this machine; opened at the first call. */
export function systemLibc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const libc = koffi.load('libc.so.6');
  const functions = {
    socket: libc.func('int socket(int, int, int)'),
    bind: libc.func('int bind(int, void*, uint32_t)'),
    connect: libc.func('int connect(int, void*, uint32_t)'),
    listen: libc.func('int listen(int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, void*, uint32_t)'),
    send: libc.func('long send(int, void*, size_t, int)'),
    recv: libc.func('long recv(int, void*, size_t, int)'),
    recvFrom: libc.func('long recvfrom(int, void*, size_t, int, void*, void*)'),
    close: libc.func('int close(int)'),
    setns: libc.func('int setns(int, int)'),
    eventfd: libc.func('int eventfd(uint32_t, int)'),
    eventfdRead: libc.func('int eventfd_read(int, void*)'),
    eventfdWrite: libc.func('int eventfd_write(int, uint64_t)'),
    nameToIndex: libc.func('uint32_t if_nametoindex(const char*)'),
    poll: libc.func('int poll(void*, unsigned long, int)'),
  };
  const setsockoptBytes: Libc['setsockoptBytes'] = (fd, level, option, value) =>
    Number(functions.setsockopt(fd, level, option, value, value.length));
  const attach = libc.func('setsockopt', 'int', [
    'int',
    'int',
    'int',
    koffi.pointer(koffi.struct({ len: 'uint16_t', filter: 'uint8_t *' })),
    'uint32_t',
  ]);
  const piece = koffi.struct({ bytes: 'uint8_t *', length: 'size_t' });
  const message = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    pieces: koffi.pointer(piece),
    count: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const header = koffi.struct({ message, sent: 'uint32_t' });
  const sendAll = libc.func('sendmmsg', 'int', ['int', koffi.pointer(header), 'uint32_t', 'int']);
  return {
    socket: (domain, type, protocol) => Number(functions.socket(domain, type, protocol)),
    bind: (fd, address) => Number(functions.bind(fd, address, address.length)),
    connect: (fd, address) => Number(functions.connect(fd, address, address.length)),
    listen: (fd, backlog) => Number(functions.listen(fd, backlog)),
    setsockopt: (fd, level, option, value) =>
      setsockoptBytes(fd, level, option, new Uint8Array(Int32Array.of(value).buffer)),
    setsockoptBytes,
    attachFilter(fd, filter) {
      const program = { len: filter.length / SOCK_FILTER_BYTES, filter };
      return Number(attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, SOCK_FPROG_BYTES));
    },
    sendAsync(fd, datagrams, flags, done) {
      const headers = datagrams.map((bytes) => ({
        message: { ...NO_ADDRESS, pieces: [{ bytes, length: bytes.length }], count: 1 },
        sent: 0,
      }));
      sendAll.async(fd, headers, headers.length, flags, (error: unknown, sent: unknown) => {
        done(error ? -1 : Number(sent));
      });
    },
    send: (fd, bytes, flags) => Number(functions.send(fd, bytes, bytes.length, flags)),
    recv: (fd, buffer, flags) => Number(functions.recv(fd, buffer, buffer.length, flags)),
    recvFrom(fd, buffer, flags, sender) {
      const length = Uint32Array.of(sender.length);
      return Number(functions.recvFrom(fd, buffer, buffer.length, flags, sender, length));
    },
    close: (fd) => Number(functions.close(fd)),
    setns: (fd, type) => Number(functions.setns(fd, type)),
    eventfd: (initial, flags) => Number(functions.eventfd(initial, flags)),
    eventfdRead: (fd) => Number(functions.eventfdRead(fd, new BigUint64Array(1))),
    eventfdWrite: (fd) => Number(functions.eventfdWrite(fd, 1)),
    interfaceIndex: (name) => Number(functions.nameToIndex(name)),
    poll: (fds, timeoutMs) => Number(functions.poll(fds, fds.length / POLLFD_BYTES, timeoutMs)),
    pollAsync(fds, timeoutMs, done) {
      functions.poll.async(
        fds,
        fds.length / POLLFD_BYTES,
        timeoutMs,
        (error: unknown, ready: unknown) => {
          done(error ? -1 : Number(ready));
        },
      );
    },
    errno: () => koffi.errno(),
  };
}
