// Edge: the only file that knows the messages and status codes of FelixService.
import type { FelixService } from '@calico/proto/felix/v1/felix';
import { type RpcCode, RpcError, type ServiceHandlers } from '@calico/rpc';
import { gatewaysOf } from '../core/pod_interface.ts';
import { HOST_MAC, type WorkloadRecord } from '../core/workload.ts';
import { hostNetwork } from '../core/workload_endpoint.ts';
import { WorkloadError, type WorkloadErrorKind } from '../core/workload_error.ts';
import { checkAdd, checkKey, checkNetwork, checkOptionalName } from '../core/workload_request.ts';
import type { FelixActions } from '../ports.ts';

const CODES: Readonly<Record<WorkloadErrorKind, RpcCode>> = {
  invalid: 'INVALID_ARGUMENT',
  precondition: 'FAILED_PRECONDITION',
  exhausted: 'RESOURCE_EXHAUSTED',
  unavailable: 'UNAVAILABLE',
  missing: 'NOT_FOUND',
  differs: 'DATA_LOSS',
};

export function createHandlers(felix: FelixActions): ServiceHandlers<typeof FelixService> {
  return {
    addWorkload: (request) =>
      answer(async () => addAnswer(await felix.add(checkAdd({ ...request })))),
    removeWorkload: (request) =>
      answer(async () => {
        const key = checkKey(request);
        if (request.network !== '') checkNetwork(request.network);
        checkOptionalName('namespace', request.namespace);
        checkOptionalName('pod', request.pod);
        const { netns, network, namespace, pod } = request;
        await felix.remove({ ...key, netns, network, namespace, pod });
        return {};
      }),
    checkWorkload: (request) =>
      answer(async () => {
        const key = checkKey(request);
        const { netns, network, namespace, pod, expectedAddresses, expectedHostInterface } =
          request;
        felix.check({
          ...key,
          netns,
          network,
          namespace,
          pod,
          expectedAddresses,
          expectedHostInterface,
        });
        return {};
      }),
    collectGarbage: (request) =>
      answer(async () => {
        checkNetwork(request.network);
        const valid = request.validAttachments.map(checkKey);
        const removed = await felix.collectGarbage(request.network, valid);
        return { removed: removed.map((key) => ({ ...key })) };
      }),
    getReadiness: () =>
      answer(async () => {
        const { reasons, isLimited } = await felix.readiness();
        return { ready: reasons.length === 0, reasons: [...reasons], limited: isLimited };
      }),
    getNodeInfo: async () => {
      const { missingFeatures, ...info } = felix.info();
      return { ...info, missingFeatures: [...missingFeatures] };
    },
  };
}

async function answer<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof WorkloadError)) throw cause;
    throw new RpcError(CODES[cause.kind], cause.message, { cause });
  }
}

function addAnswer(record: WorkloadRecord) {
  const addresses = record.addresses.map(({ address }) => address);
  const routes = gatewaysOf(addresses).flatMap((gateway) =>
    gateway.includes(':')
      ? [{ destination: '::/0', gateway }]
      : [
          { destination: hostNetwork(gateway), gateway: '' },
          { destination: '0.0.0.0/0', gateway },
        ],
  );
  return {
    hostInterface: record.hostInterface,
    hostMac: HOST_MAC,
    containerMac: record.containerMac,
    mtu: record.mtu,
    addresses: addresses.map(hostNetwork),
    routes,
  };
}
