// The headers that both ends know. https://www.rfc-editor.org/rfc/rfc7541#section-2.3

export type Header = readonly [name: string, value: string];

/** Appendix A; the first has number 1. */
export const STATIC_HEADERS: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Of a table that nobody has said anything about. */
export const DEFAULT_TABLE_BYTES = 4096;

/** Section 4.1. */
export function sizeOf([name, value]: Header): number {
  return name.length + value.length + 32;
}

/** What the sender has put into the table, newest first, within a size. */
export class DynamicTable {
  // Oldest first: adding is at the end.
  #headers: Header[] = [];
  #bytes = 0;
  #most = DEFAULT_TABLE_BYTES;
  /** Grows with every change. */
  version = 0;

  /** `index` as it is written: static headers first, then from the newest. */
  at(index: number): Header | undefined {
    if (index <= STATIC_HEADERS.length) return STATIC_HEADERS[index - 1];
    return this.#headers[this.#headers.length - (index - STATIC_HEADERS.length)];
  }

  add(header: Header): void {
    this.version++;
    this.#headers.push(header);
    this.#bytes += sizeOf(header);
    this.#evict();
  }

  resize(most: number): void {
    this.version++;
    this.#most = most;
    this.#evict();
  }

  #evict(): void {
    let gone = 0;
    while (this.#bytes > this.#most) this.#bytes -= sizeOf(this.#headers[gone++] as Header);
    if (gone > 0) this.#headers = this.#headers.slice(gone);
  }
}
