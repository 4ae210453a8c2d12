// A network namespace with an uplink, and netlink into it.
import assert from 'node:assert/strict';
import { type Link, type Netlink, openNetlinkIn, type Request } from '@calico/netlink';
import { makeNetns, netnsPath, runIn } from './netns_fixture.ts';

/** Its uplink "ens33" is up and has 192.168.80.102/24 and fd00::102/64. */
export class NetlinkHost {
  readonly namespace = makeNetns();
  readonly netlink: Netlink;
  readonly uplink: Link;

  constructor() {
    runIn(this.namespace, 'ip link set lo up');
    runIn(this.namespace, 'ip link add ens33 type veth peer name far');
    // Without link-local addresses: those come some time later, maybe between two looks that are compared.
    runIn(this.namespace, 'ip link set ens33 addrgenmode none up');
    runIn(this.namespace, 'ip link set far addrgenmode none up');
    runIn(this.namespace, 'ip addr add 192.168.80.102/24 dev ens33');
    runIn(this.namespace, 'ip addr add fd00::102/64 dev ens33 nodad');
    this.netlink = openNetlinkIn(netnsPath(this.namespace));
    const found = this.netlink.linkByName('ens33');
    assert.ok(found);
    this.uplink = found;
  }

  /** Carries the requests out; none may be refused. */
  add(...requests: Request[]): void {
    assert.deepEqual(this.netlink.execute(requests), []);
  }

  /** Why the kernel refuses the request; undefined when it does not. */
  codeOf(request: Request): string | undefined {
    return this.netlink.execute([request])[0]?.code;
  }
}
