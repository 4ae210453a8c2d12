// Settings of bgp, by environment variable.
import { IpError, parseAddress } from '@calico/ip';
import { type Config, commonSettings, setting } from '@calico/process';
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
  recording: setting(
    'CALICO_BGP_RECORDING',
    z.string().default(''),
    "File for the speaker's inputs, to run them again; at most 256 MiB; empty: none",
  ),
};

export type BgpConfig = Config<typeof settings>;

function isIpv4(text: string): boolean {
  try {
    return parseAddress(text).family === 4;
  } catch (cause) {
    if (cause instanceof IpError) return false;
    throw cause;
  }
}
