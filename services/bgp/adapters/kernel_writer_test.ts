import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import type { Batch, Netlink, Request, RequestFailure, RouteTemplate } from '@calico/netlink';
import { ChangeBatch } from '../core/kernel/change_batch.ts';
import type { ChangeKind } from '../core/kernel/changes.ts';
import type { KernelTarget } from '../core/kernel/types.ts';
import { PrefixTable } from '../core/rib/prefix_table.ts';
import type { RouteFailure } from '../ports.ts';
import { KernelWriter } from './kernel_writer.ts';

const NHA_OR_RTA_GATEWAY = 5;
const RTA_NH_ID = 30;

/** A batch that remembers its messages, and netlink that knows nexthop objects. */
class Kernel {
  /** "id 12" for objects, else "gateway", "none"; requests that are no routes by their kind. */
  messages: string[] = [];
  readonly submitted: string[][] = [];
  failures: RequestFailure[][] = [];
  /** Calls back when the kernel does its work. */
  hold: ((work: () => void) => void) | undefined;
  objects = 0;
  readonly prefixes = new PrefixTable();
  readonly writer: KernelWriter;

  constructor() {
    const messages = (): number => this.messages.length;
    const batch: Partial<Batch> = {
      get count() {
        return messages();
      },
      add: (request: Request) => void this.messages.push(request.kind),
      addRoute: (template) => void this.messages.push(wayOf(template)),
      submit: (done) => {
        const work = this.#take();
        if (this.hold === undefined) done(work());
        else this.hold(() => done(work()));
      },
      execute: () => this.execute(),
    };
    const netlink: Partial<Netlink> = {
      nextHopObjects: () => [],
      execute: () => {
        this.objects += 1;
        return [];
      },
    };
    this.writer = new KernelWriter(netlink as Netlink, batch as Batch, setImmediate);
  }

  execute(): RequestFailure[] {
    return this.#take()();
  }

  #take(): () => RequestFailure[] {
    const { messages } = this;
    this.messages = [];
    return () => {
      this.submitted.push(messages);
      return this.failures.shift() ?? [];
    };
  }

  change(kind: ChangeKind, from: number, to: number, target: KernelTarget): RouteFailure[] {
    const batch = new ChangeBatch(this.prefixes);
    for (let index = from; index < to; index++) {
      const prefix = parsePrefix(`10.${index >> 8}.${index & 255}.0/24`);
      batch.push(kind, this.prefixes.intern(prefix), target);
    }
    const found: RouteFailure[] = [];
    this.writer.apply(batch, (failures) => found.push(...failures));
    return found;
  }
}

/** From the attributes of a message. */
function wayOf({ bytes }: RouteTemplate): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 28; at + 4 <= bytes.length; at += (view.getUint16(at, true) + 3) & ~3) {
    const type = view.getUint16(at + 2, true);
    if (type === RTA_NH_ID) return `object ${view.getUint32(at + 4, true) & 0xffff}`;
    if (type === NHA_OR_RTA_GATEWAY) return 'gateway';
  }
  return 'none';
}

function via(...gateways: string[]): KernelTarget {
  return {
    type: 'unicast',
    hops: gateways.map((text) => {
      return { gateway: parseAddress(text), interfaceIndex: 2, onlink: false };
    }),
  };
}

const A = via('192.168.80.101');

test('the 513th route through a next hop and those after it refer to an object', () => {
  const kernel = new Kernel();
  assert.deepEqual(kernel.change('add', 0, 600, A), []);
  const [messages = []] = kernel.submitted;
  assert.deepEqual(new Set(messages.slice(0, 512)), new Set(['gateway']));
  assert.deepEqual(new Set(messages.slice(512)), new Set(['object 1']));
  kernel.change('add', 600, 601, via('192.168.80.101', '192.168.80.102'));
  kernel.change('delete', 599, 600, A);
  kernel.change('add', 601, 602, { type: 'blackhole', hops: [] });
  assert.deepEqual(kernel.submitted.slice(1), [['none'], ['none'], ['none']]);
  assert.equal(kernel.objects, 1);
});

test('failures are told by position', () => {
  const kernel = new Kernel();
  const failure = { index: 3, code: 'EEXIST', message: 'File exists' };
  kernel.failures = [[failure]];
  assert.deepEqual(kernel.change('add', 0, 10, A), [failure]);
});

test('what refers to an object that is gone is written once more, without it', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 600, A);
  const gone = [7, 3].map((index) => ({ index, code: 'EINVAL', message: '' }));
  const refused = { index: 5, code: 'EEXIST', message: '' };
  kernel.failures = [[...gone, refused], [{ index: 0, code: 'ENETUNREACH', message: '' }]];
  const failures = kernel.change('add', 600, 610, A);
  assert.deepEqual(
    failures.map(({ index, code }) => [index, code]),
    [
      [5, 'EEXIST'],
      [7, 'ENETUNREACH'],
    ],
  );
  assert.deepEqual(kernel.submitted[2], ['gateway', 'gateway']);
});

test('removeWays() takes out an object that nobody else needs, and only then', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 1_200, A);
  const ids = Int32Array.from({ length: 1_200 }, (_, id) => id);
  const gone: number[] = [];
  kernel.writer.removeWays(ids.subarray(0, 1_199), (part) => gone.push(...part));
  assert.equal(gone.length, 0);
  kernel.writer.removeWays(ids, (part, isLast) => {
    assert.ok(isLast);
    gone.push(...part);
  });
  assert.deepEqual(kernel.submitted.slice(1), [['nexthop-delete']]);
  assert.equal(gone.length, 1_200 - 512, 'those before had their next hop themselves');
  kernel.change('add', 0, 513, A);
  assert.equal(kernel.objects, 2);
});

test('very many routes whose object is gone share one that is made anew, which goes with them', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 1_200, A);
  kernel.failures = [
    Array.from({ length: 1_500 }, (_, index) => ({ index, code: 'EINVAL', message: '' })),
  ];
  assert.deepEqual(kernel.change('add', 1_200, 2_700, A), []);
  const [, , again = []] = kernel.submitted;
  assert.deepEqual(new Set(again.slice(0, 512)), new Set(['gateway']));
  assert.deepEqual(new Set(again.slice(512)), new Set(['object 2']));
  assert.equal(kernel.objects, 2);
  const ids = Int32Array.from({ length: 1_500 }, (_, at) => 1_200 + at);
  const gone: number[] = [];
  kernel.writer.removeWays(ids, (part) => gone.push(...part));
  assert.deepEqual(gone, [...ids.subarray(512)], 'nobody counts routes of the object before');
});

test('an object that is lost while batches wait is made once more for all of them', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 600, A);
  const works: (() => void)[] = [];
  kernel.hold = (work) => works.push(work);
  const failures = [kernel.change('add', 600, 800, A), kernel.change('add', 800, 1_000, A)];
  assert.equal(works.length, 2);
  const gone = Array.from({ length: 200 }, (_, index) => ({ index, code: 'EINVAL', message: '' }));
  kernel.failures = [gone, gone];
  for (let work = works.shift(); work !== undefined; work = works.shift()) work();
  assert.deepEqual(failures, [[], []]);
  assert.deepEqual(
    kernel.submitted.slice(1).map(([first]) => first),
    ['object 1', 'object 1', 'gateway', 'gateway'],
  );
  assert.equal(kernel.objects, 1, 'four hundred routes need none');
});

test('an object goes when the last route does that refers to it', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 600, A);
  kernel.change('delete', 0, 599, A);
  assert.equal(kernel.submitted.length, 2, 'one more refers to it');
  kernel.change('replace', 599, 600, via('192.168.80.102'));
  assert.deepEqual(kernel.submitted.slice(2), [['gateway'], ['nexthop-delete']]);
  kernel.change('add', 0, 10, A);
  assert.deepEqual(new Set(kernel.submitted.at(-1)), new Set(['gateway']));
});

test('an object stays while routes that refer to it are on their way', () => {
  const kernel = new Kernel();
  kernel.change('add', 0, 600, A);
  const works: (() => void)[] = [];
  kernel.hold = (work) => works.push(work);
  kernel.change('delete', 0, 600, A);
  kernel.change('add', 600, 900, A);
  for (let work = works.shift(); work !== undefined; work = works.shift()) work();
  assert.deepEqual(
    kernel.submitted.map(([first]) => first),
    ['gateway', 'none', 'object 1'],
  );
});
