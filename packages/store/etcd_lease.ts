// A lease kept alive over a stream. It counts as lost when its time has passed since the last
// keep-alive that was *sent* and answered: this process never believes in it longer than etcd does.
import type { CancelTimer } from '@calico/clock';
import type { IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3';
import type { EtcdClient } from './etcd_client.ts';
import type { Lease } from './store.ts';

type Stream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;

const RETRY_MS = 200;

export async function grantLease(
  client: EtcdClient,
  ttlSeconds: number,
  signal: AbortSignal,
): Promise<EtcdLease> {
  const sentAt = client.clock.monotonic();
  const { ID } = await client.write(
    'grant a lease',
    ({ leaseClient }, options) => leaseClient.leaseGrant({ TTL: ttlSeconds }, options),
    signal,
  );
  const lease = new EtcdLease(client, ID, ttlSeconds * 1000, sentAt);
  const abort = (): void => {
    lease.revoke().catch(() => {}); // it runs out by itself
  };
  signal.addEventListener('abort', abort, { once: true });
  void lease.lost.then(() => signal.removeEventListener('abort', abort));
  if (signal.aborted) abort();
  return lease;
}

export class EtcdLease implements Lease {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #client: EtcdClient;
  readonly #ttlMs: number;
  readonly #resolveLost: () => void;
  #sentAt = 0;
  #ended = false;
  #stream: Stream | undefined;
  #cancelExpiry: CancelTimer = () => {};
  #cancelNext: CancelTimer = () => {};

  constructor(client: EtcdClient, id: string, ttlMs: number, grantedAt: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.id = id;
    this.lost = promise;
    this.#resolveLost = resolve;
    this.#client = client;
    this.#ttlMs = ttlMs;
    this.#renewed(grantedAt);
  }

  async revoke(): Promise<void> {
    if (this.#ended) return;
    this.#end();
    await this.#client.write('revoke a lease', ({ leaseClient }, options) =>
      leaseClient.leaseRevoke({ ID: this.id }, options),
    );
  }

  #renewed(at: number): void {
    const { clock } = this.#client;
    this.#cancelExpiry();
    const left = at + this.#ttlMs - clock.monotonic();
    this.#cancelExpiry = clock.setTimer(left, () => this.#end());
    this.#cancelNext();
    this.#cancelNext = clock.setTimer(this.#ttlMs / 3, () => this.#keepAlive());
  }

  #keepAlive(): void {
    if (this.#ended) return;
    this.#cancelNext();
    // If no answer renews it meanwhile, the stream is replaced.
    this.#cancelNext = this.#client.clock.setTimer(this.#ttlMs / 3, () => this.#reconnect());
    this.#sentAt = this.#client.clock.monotonic();
    if (this.#stream) this.#stream.write({ ID: this.id });
    else this.#connect().catch(() => this.#reconnectLater());
  }

  async #connect(): Promise<void> {
    const stream = await this.#client.etcd.leaseClient.leaseKeepAlive();
    stream.on('data', ({ TTL }) => {
      if (stream !== this.#stream || this.#ended) return;
      if (TTL === '0') this.#end();
      else this.#renewed(this.#sentAt);
    });
    const failed = (): void => {
      if (stream === this.#stream) this.#reconnectLater();
    };
    stream.on('error', failed);
    stream.on('end', failed);
    if (this.#ended) return closeStream(stream);
    this.#stream = stream;
    stream.write({ ID: this.id });
  }

  #reconnectLater(): void {
    this.#dropStream();
    if (this.#ended) return;
    this.#cancelNext();
    this.#cancelNext = this.#client.clock.setTimer(RETRY_MS, () => this.#keepAlive());
  }

  #reconnect(): void {
    this.#dropStream();
    this.#keepAlive();
  }

  #dropStream(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream) closeStream(stream);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelExpiry();
    this.#cancelNext();
    this.#dropStream();
    this.#resolveLost();
  }
}

function closeStream(stream: Stream): void {
  stream.end();
  stream.cancel();
}
