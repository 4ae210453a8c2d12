// What a node of a small cluster derives from resources.
import assert from 'node:assert/strict';
import type { AnyResource } from '@calico/model';
import { type Derivation, deriveSpeaker } from '../core/cluster/derive_speaker.ts';
import { resourcesOf } from '../core/cluster/resources.ts';
import type { PeerConfig } from '../core/speaker/config.ts';
import { node } from './resources.ts';

export const NODES = [
  node('a', '192.168.80.100/24', {}, { rack: '1' }),
  node('b', '192.168.80.101/24', {}, { rack: '1' }),
  node('c', '192.168.80.102/24', {}, { rack: '2' }),
];

export function derive(name: string, resources: readonly AnyResource[], routerId = ''): Derivation {
  return deriveSpeaker(name, routerId, resourcesOf(resources));
}

/** Its peers, where nothing is wrong. */
export function peersOf(name: string, resources: readonly AnyResource[]): PeerConfig[] {
  const { derived, problems } = derive(name, resources);
  assert.deepEqual(problems, []);
  return [...(derived?.speaker.peers.values() ?? [])];
}
