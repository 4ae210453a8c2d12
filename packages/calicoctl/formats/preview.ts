// What a change of resources would do, for a person to say yes or no to.
import type { PreviewResponse, VerdictChange } from '@calico/proto/felix/v1/policy';
import { formatColumns } from './columns.ts';
import { protocolText } from './why.ts';

/** Pairs and connections that are shown of each list. */
const MOST_ROWS = 100;

export function formatPreview(nodes: readonly PreviewResponse[]): string {
  const changes = nodes.flatMap((node) => node.changes).toSorted(compareChanges);
  const cut = nodes.flatMap((node) => node.cut.map((one) => ({ node: node.node, ...one })));
  return [
    changesText(changes, nodes),
    cut.length === 0
      ? 'No current connection would be cut.\n'
      : `${count(cut.length, 'current connection')} would be cut:\n${table(
          ['NODE', 'FROM', 'TO', 'CONNECTION', 'BECAUSE'],
          cut.map(({ node, from, to, flow, because }) => [
            node,
            from,
            to,
            `${protocolText(flow?.protocol ?? 0)} ${flow?.sourcePort} -> ${flow?.destinationPort}`,
            because,
          ]),
        )}`,
    ...nodes
      .filter(({ cutUnknown }) => cutUnknown !== '')
      .map(({ node, cutUnknown }) => `${node}: ${cutUnknown}\n`),
  ].join('');
}

function changesText(changes: readonly VerdictChange[], nodes: readonly PreviewResponse[]): string {
  if (changes.length === 0) return 'No pair of endpoints would be treated differently.\n';
  const isTruncated = nodes.some(({ truncated }) => truncated);
  const head = `${isTruncated ? 'At least ' : ''}${count(changes.length, 'change')} of what is allowed:\n`;
  return `${head}${table(
    ['FROM', 'TO', 'TRAFFIC', 'NOW', 'THEN', 'BECAUSE'],
    changes.map(({ from, to, what, allowedBefore, allowedAfter, because }) => [
      from,
      to,
      what,
      verdict(allowedBefore),
      verdict(allowedAfter),
      because,
    ]),
  )}`;
}

function verdict(allowed: boolean): string {
  return allowed ? 'allowed' : 'denied';
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.slice(0, MOST_ROWS);
  const lines = formatColumns([headings, ...shown])
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line.trimEnd()}\n`);
  const more = rows.length - shown.length;
  return `${lines.join('')}${more > 0 ? `  … and ${more} more\n` : ''}`;
}

/** What is taken away comes first. */
function compareChanges(a: VerdictChange, b: VerdictChange): number {
  if (a.allowedAfter !== b.allowedAfter) return a.allowedAfter ? 1 : -1;
  return keyOf(a) < keyOf(b) ? -1 : Number(keyOf(a) > keyOf(b));
}

function keyOf({ from, to, what }: VerdictChange): string {
  return `${to} ${from} ${what}`;
}
