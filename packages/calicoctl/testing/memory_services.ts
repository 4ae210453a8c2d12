// The services that calicoctl calls, in memory, behind real gRPC on a unix socket.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { changeProblems, parseResource, ValidationError } from '@calico/model';
import {
  PatchType,
  type Resource,
  type ResourceKey,
  ResourceService,
} from '@calico/proto/api/v1/resources';
import { BgpService, ResetKind } from '@calico/proto/bgp/v1/bgp';
import { BgpPeerType } from '@calico/proto/events/v1/events';
import { IpamAdminService } from '@calico/proto/ipam/v1/admin';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { ClusterPolicyService } from '@calico/proto/status/v1/policy';
import { StatusService, type WaitAppliedRequest } from '@calico/proto/status/v1/status';
import { RpcError, type RpcServer, type ServiceHandlers, serveRpc } from '@calico/rpc';

import { MemoryAdmin } from './memory_admin.ts';
import { MemoryPolicy } from './memory_policy.ts';

type Stored = { readonly document: Fields; readonly revision: bigint };
type Fields = Record<string, unknown>;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export class MemoryServices {
  readonly stored = new Map<string, Stored>();
  readonly assigned = new Map<string, string>();
  /** Whose blocks were given back. */
  readonly releasedNodes: string[] = [];
  readonly admin = new MemoryAdmin();
  readonly policy = new MemoryPolicy();
  /** Answers of WaitApplied, one after the other; the stream stays open after the last if told so. */
  progress: { nodesApplied: number; nodesTotal: number; waitingFor?: string[] }[] = [];
  staysBehind = false;
  waited: WaitAppliedRequest['targets'] = [];
  revision = 0n;
  readonly #folder: string;
  readonly #servers: RpcServer[] = [];

  /** @param folder where their sockets are; removed at the end */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get environment(): Record<string, string> {
    const main = `unix:${join(this.#folder, 'main.sock')}`;
    return {
      CALICO_API_ADDRESS: main,
      CALICO_IPAM_ADDRESS: main,
      CALICO_STATUS_ADDRESS: main,
      CALICO_RUN_DIR: this.#folder,
    };
  }

  /** As if nothing had been asked yet. */
  clear(): void {
    this.stored.clear();
    this.assigned.clear();
    this.releasedNodes.length = 0;
    this.progress = [];
    this.staysBehind = false;
    this.admin.repairs.length = 0;
    Object.assign(this.policy, { why: {}, stats: {}, preview: {}, previewed: undefined });
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.stop(100);
    await rm(this.#folder, { recursive: true });
  }

  async stopSpeaker(): Promise<void> {
    await this.#servers.pop()?.stop(100);
  }

  async serve(): Promise<void> {
    const options = { insecure: false, logger: silent };
    const main = await serveRpc({
      ...options,
      services: [
        [ResourceService, this.#resources()],
        [IpamService, this.#ipam()],
        [IpamAdminService, this.#admin()],
        [StatusService, this.#status()],
        [ClusterPolicyService, this.policy.handlers()],
      ],
      listen: `unix:${join(this.#folder, 'main.sock')}`,
    });
    const speaker = await serveRpc({
      ...options,
      services: [[BgpService, bgpHandlers()]],
      listen: `unix:${join(this.#folder, 'bgp.sock')}`,
    });
    this.#servers.push(main, speaker);
  }

  #resources(): ServiceHandlers<typeof ResourceService> {
    return {
      get: async ({ key }) => ({ resource: this.#read(key) }),
      list: async ({ kind, namespace, pageToken }) => {
        const all = [...this.stored.entries()]
          .filter(([text]) => text.startsWith(`${kind}/${namespace}`))
          .map(([text]) => this.#message(text));
        // Pages of two, so that lists have several.
        const start = Number(pageToken || '0');
        const next = start + 2 < all.length ? String(start + 2) : '';
        const resources = all.slice(start, start + 2);
        return { resources, revision: this.revision, nextPageToken: next };
      },
      watch: notHere,
      create: async ({ resource }) => {
        const text = textOf(resource);
        if (this.stored.has(text)) {
          throw new RpcError('ALREADY_EXISTS', `Cannot create ${nameOf(resource)}: it exists`);
        }
        return { resource: this.#write(text, resource) };
      },
      replace: async ({ resource }) => {
        const text = textOf(resource);
        this.#message(text);
        return { resource: this.#write(text, resource) };
      },
      apply: async ({ resource }) => ({
        resource: this.#write(textOf(resource), resource),
        changed: true,
      }),
      patch: async ({ key, type, patch }) => {
        if (type === PatchType.JSON) throw new RpcError('UNIMPLEMENTED', 'not here');
        const text = textOf(key);
        const before = JSON.parse(this.#message(text).json) as Fields;
        const json = JSON.stringify(merge(before, JSON.parse(patch)));
        return {
          resource: this.#write(text, { kind: key?.kind ?? '', name: key?.name ?? '', json }),
        };
      },
      delete: async ({ key }) => {
        this.#read(key);
        this.stored.delete(textOf(key));
        this.revision += 1n;
        return { revision: this.revision };
      },
      validate: async ({ resource }) => (resource === undefined ? {} : { resource }),
      getVersion: async () => ({ version: '0.1.0', clusterGuid: 'g', clusterType: 'typescript' }),
    };
  }

  #read(key: ResourceKey | undefined) {
    return this.#message(textOf(key));
  }

  #message(text: string) {
    const [kind = '', namespace = '', name = ''] = text.split('/');
    const found = this.stored.get(text);
    if (found === undefined) {
      throw new RpcError('NOT_FOUND', `Cannot find ${kind} "${name}": no such resource`);
    }
    const { document, revision } = found;
    return { kind, namespace, name, revision, json: JSON.stringify(document) };
  }

  #write(text: string, resource: Pick<Resource, 'kind' | 'name' | 'json'> | undefined) {
    try {
      const document = parseResource(JSON.parse(resource?.json ?? ''));
      const before = this.stored.get(text);
      const problems = before ? changeProblems(parseResource(before.document), document) : [];
      if (problems.length > 0) throw new ValidationError(nameOf(resource), problems);
      this.revision += 1n;
      const metadata = { ...document.metadata, resourceVersion: String(this.revision) };
      this.stored.set(text, { document: { ...document, metadata }, revision: this.revision });
      return this.#message(text);
    } catch (cause) {
      if (!(cause instanceof ValidationError)) throw cause;
      throw new RpcError('INVALID_ARGUMENT', cause.message);
    }
  }

  #admin(): ServiceHandlers<typeof IpamAdminService> {
    return {
      ...this.admin.handlers(),
      removeNode: async ({ node }) => {
        this.#read({ kind: 'Node', namespace: '', name: node } as ResourceKey);
        this.releasedNodes.push(node);
        this.stored.delete(`Node//${node}`);
        return { revision: ++this.revision };
      },
    };
  }

  #ipam(): ServiceHandlers<typeof IpamService> {
    return {
      autoAssign: notHere,
      assignIp: notHere,
      ipsByHandle: notHere,
      claimAffinity: notHere,
      releasePoolAffinities: notHere,
      ensureBlock: notHere,
      releaseAffinity: async ({ node, cidr }) => {
        this.releasedNodes.push(node);
        return { released: cidr === '' ? [] : [cidr] };
      },
      releaseIps: async ({ releases }) => ({
        unallocated: releases
          .map(({ address }) => address)
          .filter((address) => !this.assigned.delete(address)),
      }),
      releaseByHandle: async ({ handleId }) => {
        const released = [...this.assigned].filter(([, each]) => each === handleId);
        for (const [address] of released) this.assigned.delete(address);
        return { released: released.map(([address]) => address) };
      },
      getAssignment: async ({ address }) => {
        const handleId = this.assigned.get(address);
        return handleId === undefined ? { assigned: false } : { assigned: true, handleId };
      },
      getUtilization: async () => ({
        pools: [
          {
            name: 'p',
            cidr: '10.244.0.0/16',
            capacity: '65536',
            inUse: BigInt(this.assigned.size),
            reserved: '0',
            free: String(65_536 - this.assigned.size),
          },
        ],
      }),
    };
  }

  async *#progress(signal: AbortSignal) {
    yield* this.progress;
    if (!this.staysBehind) return;
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
  }

  #status(): ServiceHandlers<typeof StatusService> {
    return {
      listNodes: async () => ({
        nodes: [
          {
            node: 'k8s-node02',
            health: [{ component: 'bgp', ready: true, messages: ['B is missing'] }],
            applied: [{ component: 'bgp', revision: 7n, inSync: true }],
          },
          {
            node: 'k8s-node03',
            health: [{ component: 'status', messages: ['has never reported'] }],
          },
        ],
      }),
      watchNodes: notHere,
      listPeers: async ({ node }) => {
        if (node === 'k8s-node03') return {};
        if (node !== 'k8s-node02') throw new RpcError('NOT_FOUND', `Cannot find node "${node}"`);
        return { nodes: [{ node, peers: [{ address: '192.168.80.99', state: 'Established' }] }] };
      },
      listEndpoints: async () => ({}),
      waitApplied: ({ targets }, { signal }) => {
        this.waited = targets;
        return this.#progress(signal);
      },
    };
  }
}

function notHere(): never {
  throw new RpcError('UNIMPLEMENTED', 'Cannot answer: not part of this test');
}

function bgpHandlers(): ServiceHandlers<typeof BgpService> {
  return {
    listPeers: async () => ({
      peers: [
        {
          address: '192.168.80.101',
          key: '192.168.80.101',
          type: BgpPeerType.NODE_MESH,
          remoteAsn: 64512,
          state: 'Established',
          port: 179,
        },
      ],
    }),
    async *watchPeers({ peer }) {
      yield { peers: [{ address: peer || '192.168.80.101', state: 'Established', port: 179 }] };
      yield { removed: ['192.168.80.101'] };
    },
    resetPeer: async ({ kind, communication }) => {
      if (kind === ResetKind.HARD && communication === '') notHere();
      return {};
    },
    injectRoutes: async ({ routes, mrt, force }) => {
      // The type of the first record (RFC 6396): none is malformed here, and one is too much.
      const type = mrt[MRT_TYPE_AT];
      if (type === 0) throw new RpcError('INVALID_ARGUMENT', 'no table');
      if (type === 1) throw new RpcError('RESOURCE_EXHAUSTED', 'too many routes');
      if (mrt.length === 0) return { held: routes.length };
      return { held: force ? 9 : 7, leftOut: force ? 0 : 2 };
    },
    withdrawRoutes: async ({ prefixes }) => ({ withdrawn: prefixes.length }),
    async *holdRoutes() {
      yield {};
    },
    async *listRoutes({ table, prefix, lookup, limit, pageToken }) {
      if (prefix === '10.0.0.0/8') yield* pageOfMany(limit, Number(pageToken));
      else if (lookup !== '') yield { prefix: '10.244.1.0/28', nextHop: lookup, best: true };
      else
        yield { prefix: prefix || '10.244.1.0/26', nextHop: '192.168.80.101', best: table === 1 };
    },
    explain: async ({ prefix }) =>
      prefix === '10.244.1.7' ? { prefix: '10.244.1.0/26', kernel: 'it is there' } : {},
    async *dumpTable() {
      yield { mrt: Uint8Array.of(1, 2) };
      yield { mrt: Uint8Array.of(3) };
    },
    getSpeaker: async () => ({ node: 'k8s-node01', problems: ['A is missing'] }),
  };
}

const MRT_TYPE_AT = 5;

/** Routes inside 10.0.0.0/8, which come in pages. */
export const MANY_ROUTES = 3_000;

function* pageOfMany(limit: number, from: number) {
  const end = limit === 0 ? MANY_ROUTES : Math.min(MANY_ROUTES, from + limit);
  for (let index = from; index < end; index++) {
    const nextPageToken = index === end - 1 && end < MANY_ROUTES ? String(end) : '';
    yield { prefix: `10.${index >> 8}.${index & 255}.0/24`, best: true, nextPageToken };
  }
}

function textOf(
  key: Pick<Resource, 'kind' | 'namespace' | 'name'> | ResourceKey | undefined,
): string {
  return `${key?.kind}/${key?.namespace ?? ''}/${key?.name}`;
}

function nameOf(resource: { readonly kind: string; readonly name: string } | undefined): string {
  return `${resource?.kind} "${resource?.name}"`;
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Fields = { ...(target as Fields | undefined) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}
