import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { type PeerPlan, SPEAKER, type World } from './world.ts';

const BIRD = '/usr/sbin/bird';
const TOLD = {
  all: 'all',
  markers: 'where net ~ [ 9.9.0.0/16{24,24} ]',
  nothing: 'none',
} as const;

export const bird: Daemon = {
  name: 'BIRD 2',
  hasKernel: true,
  start(arena, world) {
    const file = join(arena.directory, 'bird.conf');
    writeFileSync(file, configuration(world));
    const child = arena.start([BIRD, '-f', '-c', file, '-s', join(arena.directory, 'bird.ctl')]);
    return Promise.resolve({
      processes: [child],
      stop: () => arena.stop(child, 'SIGKILL'),
    });
  },
};

function configuration({ peers, hasKernel, isReflector }: World): string {
  return `router id ${SPEAKER.address};
log stderr { fatal };
protocol device { }
${hasKernel ? 'protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }' : ''}
${peers.map((peer, index) => peerOf(peer, index, isReflector)).join('\n')}
`;
}

function peerOf({ address, asn, told }: PeerPlan, index: number, isReflector: boolean): string {
  const isInternal = asn === SPEAKER.asn;
  return `protocol bgp p${index} {
  local ${SPEAKER.address} as ${SPEAKER.asn}; neighbor ${address} as ${asn}; passive on; direct;
  ${isInternal && isReflector ? 'rr client;' : ''}
  ipv4 { import all; export ${TOLD[told]}; };
}`;
}
