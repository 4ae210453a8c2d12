// Settings of the ipam service; the common ones come with every service.
import { commonSettings, flag, setting } from '@calico/process';
import { z } from 'zod';

const interval = z
  .string()
  .default('300')
  .refine((text) => /^[0-9]{1,6}$/.test(text) && (text === '0' || Number(text) >= 10), {
    error: 'expected whole seconds from 10 to 999999, or 0 to turn it off',
  })
  .transform(Number);

export const settings = {
  ...commonSettings.etcd,
  planIntervalSeconds: setting(
    'CALICO_IPAM_PLAN_SECONDS',
    interval,
    'How often the planner looks which empty blocks would better be given back; 0: never',
  ),
  planApplies: setting(
    'CALICO_IPAM_PLAN_APPLY',
    flag.default(false),
    'Whether the planner gives back what it has proposed twice',
  ),
};
