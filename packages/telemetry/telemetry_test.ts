import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { startTelemetry } from './telemetry.ts';
import { startTracing } from './tracing.ts';

test('startTelemetry() serves metrics, liveness and readiness', async (t) => {
  const telemetry = await startTelemetry({ service: 'api', httpListen: '127.0.0.1:0' });
  t.after(() => telemetry.stop());
  const { metrics, health, httpAddress } = telemetry;
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(`http://${httpAddress}${path}`);
    return { status: response.status, body: await response.text() };
  };
  metrics.counter('calico_allocations', 'Addresses handed out').add(3, { pool: 'a' });
  metrics.gauge('calico_blocks', 'Blocks').set(2);
  metrics.histogram('calico_call_seconds', 'Time', [0.1, 1]).record(0.5);
  metrics.observe('calico_observed', 'Read on demand', () => 42);
  const { body } = await get('/metrics');
  assert.match(body, /^calico_allocations_total\{pool="a"\} 3/m);
  assert.match(body, /^calico_blocks 2/m);
  assert.match(body, /^calico_call_seconds_bucket\{le="1"\} 1/m);
  assert.match(body, /^calico_observed 42/m);
  assert.match(body, /^process_resident_memory_bytes \d+/m);

  health.report('etcd', { live: true, ready: false, detail: 'not reachable' });
  assert.deepEqual(await get('/readiness'), {
    status: 503,
    body: 'etcd: not ready (not reachable)\n',
  });
  assert.equal((await get('/liveness')).status, 200);
  assert.equal((await get('/')).status, 404);
});

test('observeEach() has the sets of labels that there are now, and no other', async (t) => {
  const telemetry = await startTelemetry({ service: 'bgp', httpListen: '127.0.0.1:0' });
  t.after(() => telemetry.stop());
  let peers = ['10.0.0.1', '10.0.0."2"'];
  const read = () => peers.map((peer, value) => ({ value, labels: { peer } }));
  telemetry.metrics.observeEach('calico_up', 'Sessions', read);
  telemetry.metrics.observeEach('calico_broken', 'Sessions', () => assert.fail('no peers'));
  const lines = async (): Promise<string[]> => {
    const response = await fetch(`http://${telemetry.httpAddress}/metrics`);
    return (await response.text()).split('\n').filter((line) => /calico_/.test(line));
  };
  const head = ['# HELP calico_up Sessions', '# TYPE calico_up gauge'];
  const [first, second] = [
    'calico_up{peer="10.0.0.1"} 0',
    String.raw`calico_up{peer="10.0.0.\"2\""} 1`,
  ];
  assert.deepEqual(await lines(), [...head, first, second]);
  peers = ['10.0.0.1'];
  assert.deepEqual(await lines(), [...head, first]);
  peers = [];
  assert.deepEqual(await lines(), []);
  peers = ['10.0.0.1'];
  assert.deepEqual(await lines(), [...head, first]);
});

test('startTelemetry() says what is wrong with its address', async (t) => {
  const first = await startTelemetry({ service: 'api', httpListen: '127.0.0.1:0' });
  t.after(() => first.stop());
  const again = startTelemetry({ service: 'api', httpListen: first.httpAddress });
  await assert.rejects(again, /Cannot serve HTTP on "127.0.0.1:\d+"/);
  await assert.rejects(
    startTelemetry({ service: 'api', httpListen: '9180' }),
    /expected "host:port"/,
  );
});

test('startTracing() nests spans across processes through the headers', async () => {
  const exporter = new InMemorySpanExporter();
  const tracing = await startTracing('api', new SimpleSpanProcessor({ exporter }));
  const carrier: Record<string, string> = {};
  await tracing.outgoing('/a/B', carrier, async () => {
    await tracing.incoming('/a/B', carrier, async () => {});
  });
  await assert.rejects(
    tracing.incoming('/a/C', {}, () => Promise.reject(new Error('no'))),
    /no/,
  );
  const [server, client, failed] = exporter.getFinishedSpans();
  assert.match(carrier['traceparent'] ?? '', /^00-[0-9a-f]{32}-/);
  assert.equal(server?.parentSpanContext?.spanId, client?.spanContext().spanId);
  assert.equal(failed?.status.message, 'no');
  await tracing.stop();
});
