// Settings of the api service; the common ones come with every service.
import { commonSettings } from '@calico/process';

export const settings = {
  ...commonSettings.etcd,
  ...commonSettings.nats,
};
