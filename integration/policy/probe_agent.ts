// Runs in the network namespace of one pod or host and makes connections on demand: one JSON request per line
// on standard input, one JSON answer per line on standard output. Servers echo what they get.
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export type ProbeRequest =
  | { readonly op: 'listen'; readonly protocol: 'tcp' | 'udp'; readonly port: number }
  | {
      readonly op: 'tcp' | 'udp';
      readonly address: string;
      readonly port: number;
      readonly source?: string;
      /** Of UDP; absent: any. */
      readonly sourcePort?: number;
      readonly timeoutMs: number;
    }
  /** Opens a connection that stays; the answer is its number. */
  | {
      readonly op: 'open';
      readonly address: string;
      readonly port: number;
      readonly timeoutMs: number;
    }
  | { readonly op: 'exchange'; readonly connection: number; readonly timeoutMs: number }
  /** Servers send unasked on every connection they have. */
  | { readonly op: 'push' };

/** "ok" or "ok <what the server saw as the client's address>"; "timeout", "refused", or an error code. */
export type ProbeAnswer = { readonly id: number; readonly result: string };

/** What a server needs on a busy machine for an answer on a connection that the kernel has made. */
const ANSWER_MS = 5_000;
const TURN_MS = 10;

/**
 * Calls `onLate` after so much time, counted in turns of this process: it waits longer where processes wait for a
 * processor, as its servers do, and what has arrived meanwhile is read before it is late. The answer takes it back.
 */
function limit(timeoutMs: number, onLate: () => void): () => void {
  let left = Math.ceil(timeoutMs / TURN_MS);
  let timer = setTimeout(turn, TURN_MS);
  function turn(): void {
    left--;
    if (left <= 0) onLate();
    else timer = setTimeout(turn, TURN_MS);
  }
  return () => clearTimeout(timer);
}

const open: Socket[] = [];
const accepted = new Set<Socket>();

function listenTcp(port: number): Promise<string> {
  const server = createServer((socket) => {
    accepted.add(socket);
    socket.on('close', () => accepted.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      socket.write(`${bytes.toString().trim()} ${plain(socket.remoteAddress)}`);
    });
  });
  return new Promise((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen(port, '::', () => resolve('ok'));
  });
}

function listenUdp(port: number): Promise<string> {
  const socket = createSocket('udp6');
  socket.on('message', (message, { port: from, address }) => {
    socket.send(`${message.toString()} ${plain(address)}`, from, address);
  });
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.bind(port, '::', () => resolve('ok'));
  });
}

function plain(address: string | undefined): string {
  return (address ?? '').replace('::ffff:', '');
}

function openTcp(
  address: string,
  port: number,
  timeoutMs: number,
  source?: string,
): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, ...(source ? { localAddress: source } : {}) });
    const inTime = limit(timeoutMs, () => {
      socket.destroy();
      resolve('timeout');
    });
    socket.on('connect', () => {
      inTime();
      resolve(socket);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      inTime();
      resolve(error.code === 'ECONNREFUSED' ? 'refused' : (error.code ?? 'error'));
    });
  });
}

function exchange(socket: Socket, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const inTime = limit(timeoutMs, () => resolve('timeout'));
    socket.once('data', (bytes) => {
      inTime();
      resolve(bytes.toString());
    });
    socket.write('ok');
  });
}

function askUdp(
  address: string,
  port: number,
  timeoutMs: number,
  source?: string,
  sourcePort = 0,
): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    const end = (result: string): void => {
      inTime();
      socket.close();
      resolve(result);
    };
    const inTime = limit(timeoutMs, () => end('timeout'));
    socket.on('message', (message) => end(message.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'));
    const send = (): void => socket.send('ok', port, address);
    if (source !== undefined || sourcePort > 0) socket.bind(sourcePort, source, send);
    else send();
  });
}

async function answer(request: ProbeRequest): Promise<string> {
  switch (request.op) {
    case 'listen':
      return request.protocol === 'tcp' ? listenTcp(request.port) : listenUdp(request.port);
    case 'udp':
      return askUdp(
        request.address,
        request.port,
        request.timeoutMs,
        request.source,
        request.sourcePort,
      );
    case 'tcp': {
      const { address, port, timeoutMs, source } = request;
      const socket = await openTcp(address, port, timeoutMs, source);
      if (typeof socket === 'string') return socket;
      const result = await exchange(socket, Math.max(timeoutMs, ANSWER_MS));
      socket.destroy();
      return result;
    }
    case 'open': {
      const socket = await openTcp(request.address, request.port, request.timeoutMs);
      return typeof socket === 'string' ? socket : String(open.push(socket) - 1);
    }
    case 'exchange': {
      const socket = open[request.connection];
      return socket === undefined ? 'no such connection' : exchange(socket, request.timeoutMs);
    }
    case 'push':
      for (const socket of accepted) socket.write('pushed');
      return 'ok';
    default:
      return request satisfies never;
  }
}

async function reply(id: number, request: ProbeRequest): Promise<void> {
  const result: ProbeAnswer = { id, result: await answer(request) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

if (import.meta.main) {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, ...request } = JSON.parse(line) as ProbeRequest & { readonly id: number };
    void reply(id, request);
  });
}
