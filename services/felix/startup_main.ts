// Runs once on a node, before felix and bgp: finds the node's address, writes its Node, and creates the default
// pool and the ClusterInformation of a new cluster. Exit status: 0 done, 1 refused, 78 wrong settings.
import { randomUUID } from 'node:crypto';
import { systemClock } from '@calico/clock';
import { openNetlink } from '@calico/netlink';
import {
  type Config,
  ConfigError,
  commonSettings,
  describeSettings,
  EXIT,
  readSettings,
  VERSION,
} from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { connectRpc, type RpcClient, RpcError } from '@calico/rpc';
import { createLogger } from '@calico/telemetry';
import { RpcClusterStore } from './startup/cluster_store.ts';
import { AddressError } from './startup/node_address.ts';
import { listInterfaces, routeSourceFor } from './startup/node_interfaces.ts';
import { settings } from './startup/settings.ts';
import { startUp } from './startup/startup.ts';

const { insecure, tlsCa, tlsCert, tlsKey, logLevel } = commonSettings.baseSettings({
  listen: '',
  httpListen: '',
});
const ALL = { ...settings, insecure, tlsCa, tlsCert, tlsKey, logLevel };

async function run(config: Config<typeof ALL>): Promise<number> {
  const logger = createLogger({ service: 'startup', level: config.logLevel });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => stopping.abort(new Error(`stopping on ${signal}`)));
  }
  const api = connectApi(config);
  const netlink = openNetlink();
  try {
    await startUp({
      config,
      machine: {
        interfaces: listInterfaces(netlink),
        routeSource: (method, family) => routeSourceFor(method, netlink, family),
      },
      store: new RpcClusterStore(api, stopping.signal),
      patience: { clock: systemClock, logger, signal: stopping.signal, jitter: Math.random },
      version: VERSION,
      newGuid: () => randomUUID().replaceAll('-', ''),
    });
    return EXIT.ok;
  } catch (error) {
    const isExpected =
      stopping.signal.aborted || error instanceof AddressError || error instanceof RpcError;
    logger.error(error instanceof Error ? error.message : String(error), {
      node: config.nodeName,
      ...(!isExpected && { error }),
    });
    return EXIT.failure;
  } finally {
    api.close();
    netlink.close();
  }
}

function connectApi(config: Config<typeof ALL>): RpcClient<typeof ResourceService> {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key } = config;
  const hasTls = [ca, cert, key].some((path) => path !== undefined);
  try {
    return connectRpc(ResourceService, config.apiAddress, {
      tls: hasTls ? { ca, cert, key } : undefined,
      insecure: config.insecure || process.argv.includes('--insecure'),
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError([`CALICO_API_ADDRESS="${config.apiAddress}": ${error.message}`]);
  }
}

async function main(): Promise<number> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    const usage = 'Usage: startup [--insecure] [--version] [--help]';
    console.log(
      `startup: prepares a node, once\n\n${usage}\n\nEnvironment:\n${describeSettings(ALL)}`,
    );
    return EXIT.ok;
  }
  if (process.argv.includes('--version')) {
    console.log(`startup ${VERSION}`);
    return EXIT.ok;
  }
  try {
    return await run(readSettings(ALL, process.env));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`startup: ${error.message}`);
    return EXIT.config;
  }
}

process.exitCode = await main();
