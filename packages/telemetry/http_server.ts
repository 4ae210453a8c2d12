// The one HTTP listener of a service: /metrics, /liveness, /readiness. Nothing else, GET only.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { HealthRegistry } from './health.ts';

// An import would make all of the module's names at once; for some of them Node loads its whole HTTP
// client, which takes a sixth of a service's start.
const { createServer: createHttp } = process.getBuiltinModule('node:http');
const { createServer: createHttps } = process.getBuiltinModule('node:https');

/** Texts of PEM files. */
export type HttpCertificate = { readonly cert: Buffer; readonly key: Buffer };
/** Asked at each connection; the same object as long as the files are the same. */
export type HttpTls = { current(): HttpCertificate };

export type HttpOptions = {
  readonly host: string;
  readonly port: number;
  readonly tls?: HttpTls | undefined;
  readonly health: HealthRegistry;
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
};

export type HttpServer = { readonly port: number; close(): Promise<void> };

export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, tls, health, metrics } = options;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, '');
    if (path === '/metrics') return void metrics(request, response);
    if (path === '/liveness') return send(response, health.live ? 200 : 503, health.describe());
    if (path === '/readiness') return send(response, health.ready ? 200 : 503, health.describe());
    send(response, 404, 'not found: try /metrics, /liveness, /readiness\n');
  };
  const server = tls ? createRenewed(tls, answer) : createHttp(answer);
  server.requestTimeout = 10_000;
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error(`Cannot serve HTTP on "${host}:${port}": ${cause.message}`, { cause }));
    });
    server.listen(port, host === '' ? '0.0.0.0' : host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // closeAllConnections() would leave those whose TLS handshake is not over.
        for (const socket of open) socket.destroy();
      }),
  };
}

/** A certificate that was renewed serves from the next connection on. */
function createRenewed(tls: HttpTls, answer: RequestListener): HttpsServer {
  let used = tls.current();
  const server = createHttps(used, answer);
  // Before the listener that begins TLS.
  server.prependListener('connection', () => {
    const now = tls.current();
    if (now !== used) server.setSecureContext(now);
    used = now;
  });
  return server;
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}
