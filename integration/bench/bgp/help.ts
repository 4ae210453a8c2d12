export const HELP = `How fast the BGP speaker is, beside BIRD 2, FRR and GoBGP in the same run.

  sudo node integration/bench/bgp/main.ts [options] [workload …]

Each daemon runs alone in a network namespace; the benchmark plays all its peers, from bytes that were
encoded before the clock runs. Ours is the node as the service runs it: sessions, policy, tables, kernel
and its monitor; without NATS, api and gRPC. The clock starts once a daemon has nothing more to do after
its start and the beginning of its sessions.

Workloads, and sizes that are measured unless --sizes says others; all without any:
  rib        (a) a full table, until its last prefix has been told on        10k, 100k, 500k, 1M prefixes
  receiver   (a) the same, until one receiver has all of it                  10k, 100k, 500k, 1M prefixes
  kernel     (a) the same, until the kernel has every route; then            10k, 100k, 500k, 1M prefixes
             (e) the feeder is killed, until the kernel is clean
  mesh       (b) internal peers with 16 blocks each, until all are in the    50, 100, 200 peers
             kernel; then five are killed, one after another
  reflector  (c) clients with 16 blocks each, until every client has all;    200 clients
             and the time in which all have connected at once
  equals     (d) 30 peers with the same table, until one receiver has it     10k, 100k prefixes
             and the last path of each has been taken in

Options:
  --sizes LIST      for all workloads that are named: 10000,100k,1M
  --daemons LIST    of bird, ours, frr, gobgp, raw, raw-objects (all). GoBGP puts nothing into a kernel.
                    raw is the kernel's part of a table alone: netlink messages encoded before, with next
                    hops in the routes; raw-objects: with a nexthop object
  --repeat N        rounds (3): in each everybody is measured once, in turns
  --once-over N     who needed more than N seconds (10) is measured only once
  --limit LIST      seconds after which a measurement is given up (90), also for one daemon:
                    --limit 90,gobgp=300. Who went over it, or would need twice as long by the figure for a
                    smaller size, is not tried with larger ones
  --profile DIR     CPU profiles of ours
  -h, --help

Printed: Markdown. A table per workload and size while it runs: medians of seconds, CPU seconds (user and
system, all processes of the daemon), peak memory, memory per path (what the table has added), the
longest delay of our event loop and the most processor time that it has used during one, CPU seconds of
the benchmark, and ratios of ours to each. In the end one table of everything, as in docs/performance.md.

Examples:
  sudo node integration/bench/bgp/main.ts                                   all, some 15 minutes
  sudo node integration/bench/bgp/main.ts kernel --sizes 10k,100k --daemons ours,bird          a minute
  sudo node integration/bench/bgp/main.ts receiver --sizes 1M --daemons gobgp --repeat 1 --limit 300

Programs that are needed: /usr/sbin/bird, /usr/lib/frr, gobgpd. Nothing else should run meanwhile: with
other work on the machine only CPU seconds and memory say something.`;
