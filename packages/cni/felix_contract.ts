// proto/calico/felix/v1/felix.proto as this plugin speaks it. A test compares it with the generated code.
import type { Message } from './protobuf_wire.ts';

export const FELIX_SERVICE = 'calico.felix.v1.FelixService';

const ATTACHMENT = { containerId: [1, 'string'], interfaceName: [2, 'string'] } as const;
const ROUTE = { destination: [1, 'string'], gateway: [2, 'string'] } as const;
const PORT = { name: [1, 'string'], protocol: [2, 'string'], port: [3, 'uint32'] } as const;
const WORKLOAD = {
  containerId: [1, 'string'],
  netns: [2, 'string'],
  interfaceName: [3, 'string'],
  network: [4, 'string'],
  namespace: [5, 'string'],
  pod: [6, 'string'],
} as const;

/** Request and response of each method. */
export const METHODS = {
  AddWorkload: [
    {
      ...WORKLOAD,
      labels: [7, 'map'],
      ipv4Pools: [8, 'strings'],
      ipv6Pools: [9, 'strings'],
      requestedAddresses: [10, 'strings'],
      mtu: [11, 'uint32'],
      ports: [12, 'messages', PORT],
      assignIpv6: [13, 'bool'],
      skipIpv4: [14, 'bool'],
      serviceAccount: [15, 'string'],
    },
    {
      hostInterface: [1, 'string'],
      hostMac: [2, 'string'],
      containerMac: [3, 'string'],
      mtu: [4, 'uint32'],
      addresses: [5, 'strings'],
      routes: [6, 'messages', ROUTE],
    },
  ],
  RemoveWorkload: [WORKLOAD, {}],
  CheckWorkload: [
    { ...WORKLOAD, expectedAddresses: [7, 'strings'], expectedHostInterface: [8, 'string'] },
    {},
  ],
  CollectGarbage: [
    { network: [1, 'string'], validAttachments: [2, 'messages', ATTACHMENT] },
    { removed: [1, 'messages', ATTACHMENT] },
  ],
  GetReadiness: [{}, { ready: [1, 'bool'], reasons: [2, 'strings'], limited: [3, 'bool'] }],
  GetNodeInfo: [{}, { node: [1, 'string'] }],
} as const satisfies Readonly<Record<string, readonly [Message, Message]>>;

export type MethodName = keyof typeof METHODS;

type ShapeOf<F> = F extends readonly [number, 'messages', infer M]
  ? readonly Partial<ValuesOf<M>>[]
  : F extends readonly [number, infer S extends keyof Shapes]
    ? Shapes[S]
    : never;
type Shapes = {
  readonly string: string;
  readonly uint32: number;
  readonly uint64: bigint;
  readonly bool: boolean;
  readonly strings: readonly string[];
  readonly map: Readonly<Record<string, string>>;
};

/** The values of a message by its fields' names. */
export type ValuesOf<M> = { readonly [K in keyof M]: ShapeOf<M[K]> };

export type RequestOf<K extends MethodName> = Partial<ValuesOf<(typeof METHODS)[K][0]>>;
export type ResponseOf<K extends MethodName> = ValuesOf<(typeof METHODS)[K][1]>;

/** Felix of this node. Rejects with CniError. */
export interface Felix {
  call<K extends MethodName>(method: K, request: RequestOf<K>): Promise<ResponseOf<K>>;
  close(): void;
}
