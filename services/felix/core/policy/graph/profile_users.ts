// Who inherits from which profile. Most profiles of a large cluster are of a namespace with few pods, so that a lone user
// stands for itself.

export class ProfileUsers<T extends object> {
  readonly #users = new Map<string, T | Set<T>>();

  add(profiles: readonly string[], user: T): void {
    for (const profile of profiles) {
      const known = this.#users.get(profile);
      if (known instanceof Set) known.add(user);
      else if (known === undefined) this.#users.set(profile, user);
      else if (known !== user) this.#users.set(profile, new Set([known, user]));
    }
  }

  delete(profiles: readonly string[], user: T): void {
    for (const profile of profiles) {
      const known = this.#users.get(profile);
      if (known === user) this.#users.delete(profile);
      else if (known instanceof Set && known.delete(user) && known.size === 0) {
        this.#users.delete(profile);
      }
    }
  }

  /** Of any of them, each once. */
  of(profiles: Iterable<string>): ReadonlySet<T> {
    const found = new Set<T>();
    for (const profile of profiles) {
      const known = this.#users.get(profile);
      if (known instanceof Set) for (const user of known) found.add(user);
      else if (known !== undefined) found.add(known);
    }
    return found;
  }
}
