// `node status`: the sessions of the node's BGP speaker.

import { compareAddresses, type Family, parseAddress } from '@calico/ip';
import { type BgpPeerStatus, BgpPeerType } from '@calico/proto/events/v1/events';
import { formatTable } from './ascii_table.ts';
import { formatProblems } from './bgp_peers.ts';

const HEADINGS = ['Peer address', 'Peer type', 'State', 'Since', 'Info'];

const TYPE_TEXTS: Readonly<Record<BgpPeerType, string>> = {
  [BgpPeerType.UNSPECIFIED]: 'unknown',
  [BgpPeerType.NODE_MESH]: 'node-to-node mesh',
  [BgpPeerType.NODE]: 'node specific',
  [BgpPeerType.GLOBAL]: 'global',
};

export const RUNNING = 'Calico process is running.\n';
export const NOT_RUNNING = 'Calico process is not running.\n';
export const NOT_ANSWERING = 'Calico process is running and does not answer.\n';

/** @param nowMs Unix time that decides whether a session's start needs its date */
export function formatNodeStatus(
  peers: readonly BgpPeerStatus[],
  nowMs: number,
  problems: readonly string[] = [],
): string {
  const families = `${formatFamily(peers, 4, nowMs)}\n${formatFamily(peers, 6, nowMs)}`;
  return `${RUNNING}\n${families}${formatProblems(problems)}`;
}

function formatFamily(peers: readonly BgpPeerStatus[], family: Family, nowMs: number): string {
  const rows = peers
    .filter(({ address }) => familyOf(address) === family)
    .toSorted((a, b) => compareAddresses(parseAddress(a.address), parseAddress(b.address)))
    .map((peer) => rowOf(peer, nowMs));
  const body = rows.length === 0 ? `No IPv${family} peers found.\n` : formatTable(HEADINGS, rows);
  return `IPv${family} BGP status\n${body}`;
}

function rowOf(peer: BgpPeerStatus, nowMs: number): string[] {
  return [
    nameOf(peer),
    TYPE_TEXTS[peer.type] ?? 'unknown',
    peer.state === 'Established' ? 'up' : 'start',
    sinceText(peer, nowMs),
    peer.lastError === '' ? peer.state : `${peer.state} ${peer.lastError}`,
  ];
}

/** With the interface of a link-local address; the port is written as upstream does. */
function nameOf({ address, port, key }: BgpPeerStatus): string {
  const [, interfaceName] = /%([^\]]+)/.exec(key) ?? [];
  const place = interfaceName === undefined ? address : `${address}%${interfaceName}`;
  return port === 0 || port === 179 ? place : `${place} port ${port}`;
}

const DAY_MS = 86_400_000;

/** Time of day, or the date when that was more than a day ago: what BIRD writes. */
function sinceText({ since }: BgpPeerStatus, nowMs: number): string {
  if (since === undefined) return '';
  const sinceMs = Number(since.seconds) * 1000 + since.nanos / 1e6;
  const date = new Date(sinceMs);
  return nowMs - sinceMs < DAY_MS
    ? [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
    : [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join('-');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
