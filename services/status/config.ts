// Settings of the status service; the common ones come with every service.
import { commonSettings } from '@calico/process';

export const settings = {
  ...commonSettings.nats,
  apiAddress: commonSettings.apiAddress,
};
