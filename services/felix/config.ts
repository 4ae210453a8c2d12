// Settings of felix, by environment variable.
import { commonSettings, setting } from '@calico/process';
import { z } from 'zod';
import { STEPS } from './core/steps.ts';

export const settings = {
  nodeName: commonSettings.nodeName,
  runDir: commonSettings.runDir,
  libDir: commonSettings.libDir,
  ...commonSettings.nats,
  apiAddress: commonSettings.apiAddress,
  ipamAddress: commonSettings.ipamAddress,
  /** See patienceFor(). */
  etcdTimeoutSeconds: commonSettings.etcd.etcdTimeoutSeconds,
  crashAt: setting(
    'CALICO_FELIX_CRASH_AT',
    z.enum(STEPS, { error: `expected one of ${STEPS.join(', ')}` }).optional(),
    'Fault injection for tests: the step of ADD or DEL at which the process kills itself, once',
  ),
};
