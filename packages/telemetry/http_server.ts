// The one HTTP listener of a service: /metrics, /liveness, /readiness. Nothing else, GET only.
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { HealthRegistry } from './health.ts';

export type HttpTls = { readonly cert: string; readonly key: string };

export type HttpOptions = {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files. */
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
  const server = tls
    ? createHttps({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, answer)
    : createHttp(answer);
  server.requestTimeout = 10_000;
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
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}
