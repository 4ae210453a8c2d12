// The envelope that every v3 resource shares.

export const API_VERSION = 'projectcalico.org/v3';

export type ObjectMeta = {
  readonly name: string;
  /** Absent for kinds that are not namespaced. */
  readonly namespace?: string | undefined;
  /** Decimal etcd mod revision. */
  readonly resourceVersion?: string | undefined;
  readonly uid?: string | undefined;
  /** RFC 3339. */
  readonly creationTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
};

export type Resource<K extends string, Spec, Status = Readonly<Record<string, unknown>>> = {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Status | undefined;
};

/** Makes what a schema infers immutable. */
export type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;
