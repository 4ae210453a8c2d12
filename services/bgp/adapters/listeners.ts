// Listens where the node is reached, and keeps trying: the port may still be an earlier process's.
import type { Clock } from '@calico/clock';
import {
  type Address,
  firstAddress,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '@calico/ip';
import type { Listen, ListenPeer } from '../core/node/bgp_node.ts';
import type { PeerSocket } from '../core/speaker/config.ts';
import {
  type Accept,
  type Listener,
  listenTcp,
  type PasswordOf,
  type Passwords,
} from './tcp_transport.ts';

const RETRY_MS = 500;

/** A listener with the peers whose passwords its socket has been given. */
type Open = { readonly listener: Listener; readonly given: Map<string, string> };

export class Listeners {
  readonly #clock: Clock;
  readonly #accept: Accept;
  readonly #onProblem: (problem: string | undefined) => void;
  readonly #passwordOf: PasswordOf;
  readonly #listening = new Map<string, Open | 'pending'>();
  readonly #problems = new Map<string, string>();
  #wanted = new Set<string>();
  #peers: readonly ListenPeer[] = [];

  constructor(
    clock: Clock,
    accept: Accept,
    onProblem: (problem: string | undefined) => void,
    passwordOf: PasswordOf,
  ) {
    this.#clock = clock;
    this.#accept = accept;
    this.#onProblem = onProblem;
    this.#passwordOf = passwordOf;
  }

  set(listen: Listen | undefined): void {
    const wanted = new Set<string>();
    for (const family of [4, 6] as const) {
      const address = listen?.addresses[family];
      if (address !== undefined) wanted.add(`${formatAddress(address)}|${listen?.port}`);
    }
    for (const address of listen?.workloadPeering ?? []) {
      wanted.add(`${formatAddress(address)}|${listen?.port}|absent`);
    }
    this.#wanted = wanted;
    this.#peers = listen?.peers ?? [];
    for (const [key, open] of this.#listening) {
      if (open === 'pending') continue;
      if (wanted.has(key)) {
        this.#setPasswords(key, open.listener, open.given);
      } else {
        open.listener.close();
        this.#listening.delete(key);
      }
    }
    for (const key of wanted) if (!this.#listening.has(key)) void this.#open(key);
  }

  close(): void {
    this.set(undefined);
  }

  async #open(key: string): Promise<void> {
    const [address = '', port, absent] = key.split('|');
    this.#listening.set(key, 'pending');
    const given = new Map<string, string>();
    try {
      const listener = await listenTcp({
        address: parseAddress(address),
        port: Number(port),
        mayBeAbsent: absent !== undefined,
        accept: this.#accept,
        socketOf: (from, interfaceName) => this.#socketOf(from, interfaceName, given),
        prepare: (passwords) => this.#setPasswords(key, passwords, given),
      });
      if (this.#wanted.has(key)) {
        this.#listening.set(key, { listener, given });
        // Other peers may be wanted by now.
        this.#setPasswords(key, listener, given);
      } else {
        listener.close();
        this.#listening.delete(key);
        this.#solve(key, undefined);
      }
    } catch (cause) {
      this.#listening.delete(key);
      this.#solve(key, `Cannot listen on "${address}" port "${port}": ${messageOf(cause)}`);
      this.#clock.setTimer(RETRY_MS, () => {
        if (this.#wanted.has(key) && !this.#listening.has(key)) void this.#open(key);
      });
    }
  }

  /**
   * How to treat who connects; 'refuse' who has to sign and whose password the kernel has not been given: the
   * connection bears no signature.
   */
  #socketOf(
    from: Address,
    interfaceName: string | undefined,
    given: ReadonlyMap<string, string>,
  ): PeerSocket | 'refuse' | undefined {
    let found: ListenPeer | undefined;
    for (const peer of this.#peers) {
      const isNarrower = found === undefined || peer.prefix.length > found.prefix.length;
      const isThere = interfaceName === undefined || peer.interface === interfaceName;
      if (isNarrower && prefixContains(peer.prefix, from) && (isThere || !isLinkLocal(from)))
        found = peer;
    }
    const isUnsigned =
      found?.socket.password !== undefined && !given.has(formatPrefix(found.prefix));
    return isUnsigned ? 'refuse' : found?.socket;
  }

  /** Tells the listening socket what has changed about the peers of its family. */
  #setPasswords(key: string, passwords: Passwords, given: Map<string, string>): void {
    const family = key.includes(':') ? 6 : 4;
    const wanted = new Map<string, string>();
    const problems: string[] = [];
    for (const { prefix, interface: onLink, socket } of this.#peers) {
      const secret = socket.password;
      const password = secret === undefined ? undefined : this.#passwordOf(secret);
      if (prefix.family !== family || password === undefined) continue;
      const text = formatPrefix(prefix);
      const other = wanted.get(text);
      if (other === undefined || other === password) wanted.set(text, password);
      else problems.push(oneKeyText(prefix, onLink));
    }
    for (const text of new Set([...given.keys(), ...wanted.keys()])) {
      const password = wanted.get(text);
      if (given.get(text) === password) continue;
      try {
        passwords.setPassword(parsePrefix(text), password);
        given.delete(text);
        if (password !== undefined) given.set(text, password);
      } catch (cause) {
        problems.push(messageOf(cause));
      }
    }
    this.#solve(key, problems[0]);
  }

  #solve(key: string, problem: string | undefined): void {
    if (problem === undefined) this.#problems.delete(key);
    else this.#problems.set(key, problem);
    const [first] = this.#problems.values();
    this.#onProblem(first);
  }
}

/** struct tcp_md5sig has no scope but that of a VRF. */
function oneKeyText(prefix: Prefix, onLink: string | undefined): string {
  const address = formatAddress(firstAddress(prefix));
  const peer = onLink === undefined ? address : `${address}%${onLink}`;
  return `Cannot set the TCP MD5 password for "${peer}": the kernel takes one for "${address}" on all interfaces, and another peer has another one`;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
