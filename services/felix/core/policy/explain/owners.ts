// Who has an address: the endpoints and network sets that a selector may find it by.
import { type Address, prefixContains } from '@calico/ip';
import type { Labels } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import {
  endpointLabels,
  globalNetworkSetLabels,
  hostEndpointLabels,
  networkSetLabels,
  type ProfileLookup,
} from '../meaning/labels.ts';
import { type Member, membersOf } from '../meaning/members.ts';

export type Owner = Member & {
  /** "default/client", "NetworkSet default/offices". */
  readonly name: string;
  readonly isEndpoint: boolean;
};
