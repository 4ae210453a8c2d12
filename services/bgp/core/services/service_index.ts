// Which addresses of services this node announces, kept up to date change by change: a change costs a look at its own
// service. The outcome depends on what there is, not on the order in which it came.
import { formatPrefix, type Prefix, samePrefix } from '@calico/ip';
import type { KubernetesEndpointSlice, KubernetesService, ResourceKey } from '@calico/model';
import { readinessOf } from './readiness.ts';
import {
  isAnnounced,
  judgeAddress,
  reasonText,
  type ServiceReason,
  type ServiceRules,
} from './service_rules.ts';
import { nameText, type ServiceView, serviceOf, viewService } from './service_view.ts';

export type ServiceResource = KubernetesService | KubernetesEndpointSlice;

export type ServiceChange = {
  readonly key: ResourceKey;
  /** Undefined: it is gone. */
  readonly resource: ServiceResource | undefined;
};

export type AnnouncedAddress = { readonly prefix: Prefix; readonly localPreference: number };

export type ServiceChanges = {
  readonly announced: readonly AnnouncedAddress[];
  readonly withdrawn: readonly Prefix[];
};

type Service = {
  view: ServiceView | undefined;
  /** By name. */
  readonly slices: Map<string, KubernetesEndpointSlice>;
  /** What the service wants this node to announce. */
  wanted: readonly Prefix[];
};

/** Addresses that are told at a time. */
const SLICE = 256;

/** What is remembered of an earlier process stands as a service without a name. */
const REMEMBERED = '';

export class ServiceIndex {
  readonly #services = new Map<string, Service>();
  /** Which service each slice belongs to. */
  readonly #owners = new Map<string, string>();
  /** Services that have to be judged. */
  readonly #changed = new Set<string>();
  /** Services that want an address to be announced, by its text. */
  readonly #wanting = new Map<string, number>();
  readonly #told = new Map<string, AnnouncedAddress>();
  /** Texts of told addresses that nobody wants any more. */
  readonly #leaving = new Set<string>();
  #rules: ServiceRules | undefined;

  /** Whether settle() has nothing to do. */
  get isSettled(): boolean {
    return this.#rules === undefined || (this.#changed.size === 0 && this.#leaving.size === 0);
  }

  /** Texts of what is announced, in no particular order. */
  announced(): string[] {
    return [...this.#told.keys()];
  }

  /** Resources that are known. */
  *keys(): Generator<ResourceKey> {
    for (const [name, { view }] of this.#services) {
      if (view !== undefined) yield keyOf('KubernetesService', name);
    }
    for (const name of this.#owners.keys()) yield keyOf('KubernetesEndpointSlice', name);
  }

  configure(rules: ServiceRules): void {
    this.#rules = rules;
    for (const name of this.#services.keys()) this.#changed.add(name);
  }

  /** What an earlier process has announced is wanted until forget(). */
  remember(prefixes: readonly Prefix[]): void {
    this.#service(REMEMBERED).wanted = prefixes;
    for (const prefix of prefixes) this.#want(formatPrefix(prefix), 1);
    this.#changed.add(REMEMBERED);
  }

  forget(): void {
    const remembered = this.#services.get(REMEMBERED);
    if (remembered === undefined) return;
    this.#services.delete(REMEMBERED);
    this.#changed.delete(REMEMBERED);
    this.#release(remembered.wanted);
  }

  put(resource: ServiceResource): void {
    const { namespace, name } = resource.metadata;
    const text = nameText(namespace, name);
    if (resource.kind === 'KubernetesService') {
      this.#service(text).view = viewService(resource);
      this.#changed.add(text);
      return;
    }
    const owner = serviceOf(resource);
    if (this.#owners.get(text) !== owner) this.#removeSlice(text);
    if (owner === undefined) return;
    this.#owners.set(text, owner);
    this.#service(owner).slices.set(text, resource);
    this.#changed.add(owner);
  }

  remove({ kind, namespace, name }: ResourceKey): void {
    const text = nameText(namespace, name);
    if (kind === 'KubernetesEndpointSlice') return this.#removeSlice(text);
    const service = this.#services.get(text);
    if (service === undefined) return;
    service.view = undefined;
    this.#changed.add(text);
  }

  /**
   * Judges services that have changed, for as long as `goesOn` says so and until SLICE addresses are to be announced or
   * withdrawn. What nobody wants any more is withdrawn when all are judged: another service may want it.
   */
  settle(goesOn: () => boolean): ServiceChanges {
    const announced: AnnouncedAddress[] = [];
    const rules = this.#rules;
    if (rules === undefined) return { announced, withdrawn: [] };
    for (const name of this.#changed) {
      if (announced.length >= SLICE || !goesOn()) break;
      this.#changed.delete(name);
      for (const prefix of this.#judge(name, rules)) this.#tell(prefix, rules, announced);
    }
    return { announced, withdrawn: this.#changed.size === 0 ? this.#withdraw() : [] };
  }

  /** Why an address of services is announced or not, one sentence for each of them. */
  explain(prefix: Prefix): string[] {
    const rules = this.#rules;
    if (rules === undefined) return [];
    const found: string[] = [];
    for (const { view, slices } of this.#services.values()) {
      for (const address of view?.addresses ?? []) {
        if (view === undefined || !samePrefix(address.prefix, prefix)) continue;
        const reason = judgeAddress(address, view, readinessOf(slices.values(), rules.node), rules);
        found.push(sentence(formatPrefix(prefix), address.sort, view.name, reason));
      }
    }
    return found.toSorted();
  }

  #service(name: string): Service {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = { view: undefined, slices: new Map(), wanted: [] };
      this.#services.set(name, service);
    }
    return service;
  }

  #removeSlice(text: string): void {
    const owner = this.#owners.get(text);
    if (owner === undefined) return;
    this.#owners.delete(text);
    this.#services.get(owner)?.slices.delete(text);
    this.#changed.add(owner);
  }

  /** @returns what the service wants now */
  #judge(name: string, rules: ServiceRules): readonly Prefix[] {
    const service = this.#services.get(name);
    if (service === undefined) return [];
    if (name === REMEMBERED) return service.wanted;
    const { view, slices, wanted: before } = service;
    if (view === undefined && slices.size === 0) this.#services.delete(name);
    const readiness = readinessOf(slices.values(), rules.node);
    service.wanted =
      view?.addresses
        .filter((address) => isAnnounced(judgeAddress(address, view, readiness, rules)))
        .map(({ prefix }) => prefix) ?? [];
    for (const prefix of service.wanted) this.#want(formatPrefix(prefix), 1);
    this.#release(before);
    return service.wanted;
  }

  #release(prefixes: readonly Prefix[]): void {
    for (const prefix of prefixes) {
      const text = formatPrefix(prefix);
      if (this.#want(text, -1) === 0 && this.#told.has(text)) this.#leaving.add(text);
    }
  }

  #want(text: string, more: 1 | -1): number {
    const count = (this.#wanting.get(text) ?? 0) + more;
    if (count === 0) this.#wanting.delete(text);
    else this.#wanting.set(text, count);
    return count;
  }

  #tell(prefix: Prefix, { localPreference }: ServiceRules, announced: AnnouncedAddress[]): void {
    const text = formatPrefix(prefix);
    this.#leaving.delete(text);
    const preference = localPreference[prefix.family];
    if (this.#told.get(text)?.localPreference === preference) return;
    const address = { prefix, localPreference: preference };
    this.#told.set(text, address);
    announced.push(address);
  }

  #withdraw(): Prefix[] {
    const withdrawn: Prefix[] = [];
    for (const text of this.#leaving) {
      if (withdrawn.length === SLICE) break;
      this.#leaving.delete(text);
      const address = this.#told.get(text);
      if (address === undefined || this.#wanting.has(text)) continue;
      this.#told.delete(text);
      withdrawn.push(address.prefix);
    }
    return withdrawn;
  }
}

function keyOf(kind: ServiceResource['kind'], text: string): ResourceKey {
  const [namespace = '', name = ''] = text.split('/');
  return { kind, namespace, name };
}

function sentence(address: string, sort: string, service: string, reason: ServiceReason): string {
  const verdict = isAnnounced(reason) ? 'is announced' : 'is not announced';
  return `${address}, ${sort} address of service "${service}", ${verdict}: ${reasonText(reason)}`;
}
