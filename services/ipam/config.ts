// Settings of the ipam service; the common ones come with every service.
import { commonSettings } from '@calico/process';

export const settings = { ...commonSettings.etcd };
