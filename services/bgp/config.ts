// Settings of bgp, by environment variable.
import { IpError, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import { type Config, commonSettings, list, setting } from '@calico/process';
import { z } from 'zod';

export const settings = {
  nodeName: commonSettings.nodeName,
  runDir: commonSettings.runDir,
  ...commonSettings.nats,
  apiAddress: commonSettings.apiAddress,
  routerId: setting(
    'CALICO_ROUTER_ID',
    z
      .string()
      .refine((text) => text === '' || text === 'hash' || isIpv4(text), {
        error: 'expected "hash" or a dotted quad such as "192.0.2.1"',
      })
      .default(''),
    'BGP identifier: "hash" of the node name, or a dotted quad; empty: the IPv4 address of the node',
  ),
  secretsDir: setting(
    'CALICO_SECRETS_DIR',
    z.string().default('/etc/calico/secrets'),
    'Passwords of peers: the file <dir>/<name>/<key> for secretKeyRef {name, key}',
  ),
  advertiseClusterIPs: setting(
    'CALICO_ADVERTISE_CLUSTER_IPS',
    list.default([]).transform(readPrefixes),
    'Announced with serviceClusterIPs of BGPConfiguration: prefixes such as 10.96.0.0/12, comma-separated',
  ),
  recording: setting(
    'CALICO_BGP_RECORDING',
    z.string().default(''),
    "File for the speaker's inputs, to run them again; at most 256 MiB; empty: none",
  ),
};

export type BgpConfig = Config<typeof settings>;

function readPrefixes(texts: readonly string[], { issues }: z.RefinementCtx): Prefix[] {
  return texts.flatMap((text) => {
    try {
      return [parsePrefix(text, { hostBits: 'clear' })];
    } catch (cause) {
      if (!(cause instanceof IpError)) throw cause;
      issues.push({ code: 'custom', input: text, message: cause.message });
      return [];
    }
  });
}

function isIpv4(text: string): boolean {
  try {
    return parseAddress(text).family === 4;
  } catch (cause) {
    if (cause instanceof IpError) return false;
    throw cause;
  }
}
