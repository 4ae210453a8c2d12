// Settings of the api service; the common ones come with every service.
import { commonSettings } from '@calico/process';

export const settings = {
  etcdEndpoints: commonSettings.etcdEndpoints,
  natsUrl: commonSettings.natsUrl,
};
