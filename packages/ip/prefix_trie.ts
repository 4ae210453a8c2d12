// Map from prefixes to values with longest-prefix match: a path-compressed binary trie per family.
//
//   node.prefix contains the prefixes of its children; child 0 continues with a 0 bit, child 1 with
//   a 1 bit. A node without an entry has two children (else it would have been compressed away).
import { type Address, addressBits, type Family } from './address.ts';
import { type Prefix, prefixContains, prefixOf, samePrefix } from './prefix.ts';

export type TrieEntry<T> = { readonly prefix: Prefix; readonly value: T };

type Node<T> = {
  readonly prefix: Prefix;
  entry: TrieEntry<T> | undefined;
  zero: Node<T> | undefined;
  one: Node<T> | undefined;
};

export class PrefixTrie<T> implements Iterable<TrieEntry<T>> {
  readonly #roots = new Map<Family, Node<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  set(prefix: Prefix, value: T): void {
    const entry = { prefix, value };
    const root = this.#roots.get(prefix.family);
    this.#roots.set(prefix.family, this.#insert(root, entry));
  }

  get(prefix: Prefix): T | undefined {
    const node = this.#find(prefix);
    return node !== undefined && samePrefix(node.prefix, prefix) ? node.entry?.value : undefined;
  }

  has(prefix: Prefix): boolean {
    const node = this.#find(prefix);
    return node?.entry !== undefined && samePrefix(node.prefix, prefix);
  }

  /** Whether there was an entry. */
  delete(prefix: Prefix): boolean {
    const root = this.#roots.get(prefix.family);
    const before = this.#size;
    const rest = this.#remove(root, prefix);
    if (rest === undefined) this.#roots.delete(prefix.family);
    else this.#roots.set(prefix.family, rest);
    return this.#size < before;
  }

  clear(): void {
    this.#roots.clear();
    this.#size = 0;
  }

  /** The entry with the longest prefix that contains the address. */
  longestMatch(address: Address): TrieEntry<T> | undefined {
    let best: TrieEntry<T> | undefined;
    let node = this.#roots.get(address.family);
    while (node !== undefined && prefixContains(node.prefix, address)) {
      if (node.entry !== undefined) best = node.entry;
      node = childToward(node, address);
    }
    return best;
  }

  /** The entries whose prefix contains the given one (itself included), widest first. */
  *covering(prefix: Prefix): Generator<TrieEntry<T>, void, undefined> {
    let node = this.#roots.get(prefix.family);
    while (node !== undefined && prefixContains(node.prefix, prefix)) {
      if (node.entry !== undefined) yield node.entry;
      node = childToward(node, prefix);
    }
  }

  /** The entries inside the given prefix (itself included), in order of address. */
  *covered(prefix: Prefix): Generator<TrieEntry<T>, void, undefined> {
    const node = this.#find(prefix);
    if (node !== undefined && prefixContains(prefix, node.prefix)) yield* walk(node);
  }

  /** IPv4 first, by address, the wider first. */
  *[Symbol.iterator](): Generator<TrieEntry<T>, void, undefined> {
    for (const family of [4, 6] as const) yield* walk(this.#roots.get(family));
  }

  /** The topmost node at or below the prefix, or the last one above it. */
  #find(prefix: Prefix): Node<T> | undefined {
    let node = this.#roots.get(prefix.family);
    while (node !== undefined && node.prefix.length < prefix.length) {
      if (!prefixContains(node.prefix, prefix)) return undefined;
      node = childToward(node, prefix);
    }
    return node;
  }

  #insert(node: Node<T> | undefined, entry: TrieEntry<T>): Node<T> {
    const { prefix } = entry;
    if (node === undefined) {
      this.#size += 1;
      return { prefix, entry, zero: undefined, one: undefined };
    }
    if (samePrefix(node.prefix, prefix)) {
      if (node.entry === undefined) this.#size += 1;
      node.entry = entry;
      return node;
    }
    if (prefixContains(node.prefix, prefix)) {
      const side = sideOf(node, prefix);
      node[side] = this.#insert(node[side], entry);
      return node;
    }
    this.#size += 1;
    const leaf: Node<T> = { prefix, entry, zero: undefined, one: undefined };
    if (prefixContains(prefix, node.prefix)) {
      leaf[sideOf(leaf, node.prefix)] = node;
      return leaf;
    }
    const fork: Node<T> = {
      prefix: commonPrefix(node.prefix, prefix),
      entry: undefined,
      zero: undefined,
      one: undefined,
    };
    fork[sideOf(fork, node.prefix)] = node;
    fork[sideOf(fork, prefix)] = leaf;
    return fork;
  }

  #remove(node: Node<T> | undefined, prefix: Prefix): Node<T> | undefined {
    if (node === undefined || !prefixContains(node.prefix, prefix)) return node;
    if (samePrefix(node.prefix, prefix)) {
      if (node.entry !== undefined) this.#size -= 1;
      node.entry = undefined;
    } else {
      const side = sideOf(node, prefix);
      node[side] = this.#remove(node[side], prefix);
    }
    if (node.entry !== undefined) return node;
    if (node.zero === undefined) return node.one;
    return node.one === undefined ? node.zero : node;
  }
}

function* walk<T>(node: Node<T> | undefined): Generator<TrieEntry<T>, void, undefined> {
  if (node === undefined) return;
  if (node.entry !== undefined) yield node.entry;
  yield* walk(node.zero);
  yield* walk(node.one);
}

function childToward<T>(node: Node<T>, target: Address | Prefix): Node<T> | undefined {
  return node.prefix.length === addressBits(node.prefix.family)
    ? undefined
    : node[sideOf(node, target)];
}

/** Which child the target lies under: the bit behind the node's prefix. */
function sideOf<T>(node: Node<T>, target: Address | Prefix): 'zero' | 'one' {
  const shift = BigInt(addressBits(node.prefix.family) - node.prefix.length - 1);
  return ((target.value >> shift) & 1n) === 0n ? 'zero' : 'one';
}

function commonPrefix(a: Prefix, b: Prefix): Prefix {
  const differing = a.value ^ b.value;
  const width = differing === 0n ? 0 : differing.toString(2).length;
  const length = Math.min(a.length, b.length, addressBits(a.family) - width);
  return prefixOf(a, length);
}
