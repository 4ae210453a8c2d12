// Waits until the namespace's kernel has COUNT routes of protocol bird; prints when (Unix ms).
import { openNetlink } from '@calico/netlink';

const count = Number(process.argv[2]);
const netlink = openNetlink();
const pause = Math.min(200, Math.max(10, count / 1_000));
while (netlink.routes({ family: 4, table: 254, protocol: 12 }).length < count) {
  await new Promise((resolve) => setTimeout(resolve, pause));
}
process.stdout.write(`${Date.now()}\n`);
netlink.close();
