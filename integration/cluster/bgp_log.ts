// What a node's bgp has written about its peers.

/** Those that have told it all their routes. */
export function peersHeardBy(log: string): Set<unknown> {
  const lines = log.split('\n').filter((line) => line.includes('"peer has sent all its routes"'));
  return new Set(lines.map((line) => (JSON.parse(line) as Record<string, unknown>)['peer']));
}
