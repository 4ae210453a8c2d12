// etcd's KV service over lean unary calls. One endpoint is used until it fails, then the next.
import { UnaryChannel, type UnaryPeer } from '@calico/rpc';
import type { RenewedTlsFiles } from '@calico/rpc/tls_files';
import type { RequestOptions } from './etcd_client.ts';
import {
  type Range,
  type RangeAnswer,
  rangeRequest,
  readRange,
  readTxn,
  txnRequest,
} from './etcd_messages.ts';
import type { Transaction, TransactionResult } from './store.ts';

/** Lists are read in pages, but one page of large values can be long. */
const MOST_BYTES = 512 << 20;

export class EtcdKv {
  readonly #channels: readonly UnaryChannel[];
  // Processes spread over the members.
  #current = process.pid;

  constructor(endpoints: readonly string[], files: RenewedTlsFiles | undefined) {
    this.#channels = endpoints.map((url) => new UnaryChannel(peerOf(url, files), MOST_BYTES));
  }

  /** @throws UnaryFailure, RangeError when the answer cannot be read */
  async range(range: Range, options: RequestOptions): Promise<RangeAnswer> {
    return readRange(await this.#call('Range', rangeRequest(range), options));
  }

  /** @throws UnaryFailure, RangeError when the answer cannot be read */
  async txn(transaction: Transaction, options: RequestOptions): Promise<TransactionResult> {
    return readTxn(await this.#call('Txn', txnRequest(transaction), options));
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  async #call(
    method: string,
    request: Uint8Array,
    { timeoutMs, signal }: RequestOptions,
  ): Promise<Uint8Array> {
    const used = this.#current;
    const channel = this.#channels[used % this.#channels.length] as UnaryChannel;
    try {
      return await channel.call(`/etcdserverpb.KV/${method}`, request, { timeoutMs, signal });
    } catch (error) {
      // Not the endpoint's fault when the caller gave up.
      if (signal?.aborted !== true && this.#current === used) this.#current++;
      throw error;
    }
  }
}

function peerOf(endpoint: string, files: RenewedTlsFiles | undefined): UnaryPeer {
  const { protocol, hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, '');
  const defaultPort = protocol === 'https:' ? 443 : 80;
  return {
    kind: 'tcp',
    host,
    port: port === '' ? defaultPort : Number(port),
    // Asked for at each connection.
    get tls() {
      return files?.current();
    },
  };
}
