import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './logger.ts';

function capture(): {
  lines: Record<string, unknown>[];
  destination: { write(line: string): void };
} {
  const lines: Record<string, unknown>[] = [];
  return { lines, destination: { write: (line) => lines.push(JSON.parse(line)) } };
}

test('createLogger() writes one JSON line with message, service, level and fields', () => {
  const { lines, destination } = capture();
  const logger = createLogger({ service: 'api', level: 'info', destination });
  logger.debug('hidden');
  logger.info('listening', { address: '127.0.0.1:1', revision: 7n });
  logger.child({ peer: 'a' }).error('failed', { error: new Error('why', { cause: 'deep' }) });
  assert.equal(lines.length, 2);
  assert.equal(lines[0]?.['message'], 'listening');
  assert.equal(lines[0]?.['service'], 'api');
  assert.equal(lines[0]?.['level'], 'info');
  assert.equal(lines[0]?.['revision'], 7);
  assert.equal(lines[1]?.['peer'], 'a');
  assert.match(JSON.stringify(lines[1]?.['error']), /"message":"why/);
});
