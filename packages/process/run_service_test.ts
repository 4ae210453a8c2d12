import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import * as common from './common_settings.ts';
import type { Host, StopSignal } from './host.ts';
import { EXIT, runService } from './run_service.ts';
import type { ServiceContext } from './service_context.ts';
import { ConfigError, setting } from './settings.ts';

class FakeHost implements Host {
  readonly arguments: readonly string[];
  readonly environment: Record<string, string>;
  readonly output: string[] = [];
  readonly codes: number[] = [];
  signal: (signal: StopSignal) => void = () => {};

  constructor(environment: Record<string, string>, ...flags: string[]) {
    this.arguments = flags;
    const quiet = { CALICO_HTTP_LISTEN: '127.0.0.1:0', CALICO_LOG_LEVEL: 'silent' };
    this.environment = { ...quiet, ...environment };
  }

  stdout(text: string): void {
    this.output.push(text);
  }

  stderr(text: string): void {
    this.output.push(text);
  }

  onSignal(callback: (signal: StopSignal) => void): void {
    this.signal = callback;
  }

  onFault(): void {}

  uptimeMs(): number {
    return 1;
  }

  exit(code: number): void {
    this.codes.push(code);
  }
}

type Context = ServiceContext<{ nodeName: string; limit: number; etcdEndpoints: string[] }>;

function service(main: (context: Context) => Promise<() => Promise<void>>) {
  return {
    name: 'demo',
    summary: 'shows how it goes',
    listen: 'unix:$CALICO_RUN_DIR/demo.sock',
    httpListen: '127.0.0.1:9099',
    settings: {
      nodeName: common.nodeName,
      ...common.etcd,
      limit: setting('DEMO_LIMIT', z.coerce.number().int().default(5), 'How many'),
    },
    main,
  } as const;
}

const idle = async (): Promise<() => Promise<void>> => async () => {};

test('runService() reports every wrong setting at once and exits 78', async () => {
  const host = new FakeHost({ DEMO_LIMIT: 'many', CALICO_INSECURE: 'maybe' });
  await runService(service(idle), host);
  assert.deepEqual(host.codes, [EXIT.config]);
  const [text = ''] = host.output;
  assert.match(text, /demo: Cannot start: 3 wrong setting\(s\)/);
  assert.match(text, /CALICO_NODENAME: required, not set/);
  assert.match(text, /DEMO_LIMIT="many": /);
  assert.match(text, /CALICO_INSECURE="maybe": expected "true"/);
});

test('runService() --help lists the variables, --version the version, others are refused', async () => {
  const help = new FakeHost({}, '--help');
  await runService(service(idle), help);
  assert.match(help.output.join(''), /CALICO_NODENAME .*\(required\)/);
  assert.match(help.output.join(''), /ETCD_ENDPOINTS .*\(default: http:\/\/127.0.0.1:2379\)/);
  assert.deepEqual(help.codes, [EXIT.ok]);
  const version = new FakeHost({}, '--version');
  await runService(service(idle), version);
  assert.match(version.output.join(''), /^demo \d+\.\d+\.\d+\n$/);
  const wrong = new FakeHost({}, '--verbose');
  await runService(service(idle), wrong);
  assert.deepEqual(wrong.codes, [EXIT.usage]);
});

test('runService() runs main with the config and stops in order on SIGTERM', async () => {
  const host = new FakeHost(
    { CALICO_NODENAME: 'n1', CALICO_RUN_DIR: '/tmp/x', DEMO_LIMIT: '' },
    '--insecure',
  );
  const order: string[] = [];
  const main = async ({ config, signal, health }: Context): Promise<() => Promise<void>> => {
    assert.equal(config.nodeName, 'n1');
    assert.equal(config.limit, 5);
    assert.equal(config.listen, 'unix:/tmp/x/demo.sock');
    assert.equal(config.insecure, true);
    assert.equal(health.ready, false);
    signal.addEventListener('abort', () => order.push('signal'));
    setTimeout(() => {
      order.push(`ready ${health.ready}`);
      host.signal('SIGTERM');
    }, 20);
    return async () => {
      order.push('stop');
    };
  };
  await runService(service(main), host);
  assert.deepEqual(order, ['ready true', 'signal', 'stop']);
  assert.deepEqual(host.codes, [EXIT.ok]);
});

test('runService() exits 1 when main throws or an address needs TLS', async () => {
  const failing = new FakeHost({ CALICO_NODENAME: 'n1' });
  await runService(
    service(() => Promise.reject(new Error('no'))),
    failing,
  );
  assert.deepEqual(failing.codes, [EXIT.failure]);
  const open = new FakeHost({ CALICO_NODENAME: 'n1', CALICO_HTTP_LISTEN: '0.0.0.0:0' });
  await runService(service(idle), open);
  assert.deepEqual(open.codes, [EXIT.failure]);
});

test('runService() exits 78 when settings contradict each other', async () => {
  const host = new FakeHost({ CALICO_NODENAME: 'n1' });
  await runService(
    service(() => Promise.reject(new ConfigError(['A, B: set one of them']))),
    host,
  );
  assert.deepEqual(host.codes, [EXIT.config]);
  assert.match(host.output.join(''), /^demo: Cannot start: 1 wrong setting\(s\)\n {2}A, B: /);
});
