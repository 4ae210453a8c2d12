// Member ASs that the outside takes for one: RFC 5065.
import type { BGPConfiguration } from '@calico/model';

export class Confederation {
  /** AS number that the outside knows; undefined: there is no confederation. */
  readonly identifier: number | undefined;
  readonly #members: ReadonlySet<number>;

  constructor(spec: BGPConfiguration['spec']['confederation']) {
    this.identifier = spec?.identifier;
    this.#members = new Set(spec?.members);
  }

  /** Whether a peer's AS is inside, and which number of ours it knows. @param own AS of this node */
  towards(
    asn: number | 'any-other',
    own: number,
  ): { readonly isInside: boolean; readonly ownAsn: number } {
    const isInside =
      this.identifier !== undefined &&
      asn !== 'any-other' &&
      (asn === own || this.#members.has(asn));
    return { isInside, ownAsn: isInside ? own : (this.identifier ?? own) };
  }

  /** AS numbers that no external peer has. @param own AS of this node */
  inside(own: number): readonly number[] {
    return [own, ...this.#members, ...(this.identifier === undefined ? [] : [this.identifier])];
  }
}
