// Messages for tests: recorded bytes beside their values, arbitrary messages, seeded damage.
import { parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { ROLES } from './capabilities.ts';
import { DEFAULT_CONTEXT, type WireContext } from './context.ts';
import type { Message } from './message.ts';
import type { Nlri } from './nlri.ts';
import type { Update } from './update.ts';

export function fromHex(hex: string): Uint8Array {
  const digits = hex.replaceAll(/\s/g, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function nlri(text: string, pathId?: number): Nlri {
  const prefix = parsePrefix(text);
  return pathId === undefined ? { prefix } : { prefix, pathId };
}

export const EMPTY_UPDATE: Update = {
  kind: 'update',
  withdrawn: [],
  announced: [],
  attributes: {},
  problems: [],
};

export const MARKER = 'ff'.repeat(16);

export type Golden = {
  readonly name: string;
  readonly hex: string;
  readonly message: Message;
  readonly context?: Partial<WireContext>;
};

export function contextOf(golden: Golden): WireContext {
  return { ...DEFAULT_CONTEXT, ...golden.context };
}

/** xorshift32: the same damage in every run. */
export function seededRandom(seed: number): (below: number) => number {
  const state = { value: seed | 1 };
  return (below) => {
    state.value ^= state.value << 13;
    state.value ^= state.value >>> 17;
    state.value ^= state.value << 5;
    return (state.value >>> 0) % below;
  };
}

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const asNumber = fc.integer({ min: 1, max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 20 });
const ipv4 = u32.map((value) => ({ family: 4 as const, value: BigInt(value) }));
const ipv6 = fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6 as const, value }));

const prefix4 = fc.tuple(u32, fc.nat(32)).map(([value, length]): Nlri['prefix'] => ({
  family: 4,
  value: (BigInt(value) >> BigInt(32 - length)) << BigInt(32 - length),
  length,
}));
const prefix6 = fc.tuple(ipv6, fc.nat(128)).map(([{ value }, length]): Nlri['prefix'] => ({
  family: 6,
  value: (value >> BigInt(128 - length)) << BigInt(128 - length),
  length,
}));

function nlriList(family: 4 | 6, addPath: boolean, minLength: number): fc.Arbitrary<Nlri[]> {
  const prefix: fc.Arbitrary<Nlri['prefix']> = family === 4 ? prefix4 : prefix6;
  const item: fc.Arbitrary<Nlri> = addPath
    ? fc.record({ prefix, pathId: u32 })
    : fc.record({ prefix });
  return fc.array(item, { minLength, maxLength: 8 });
}

const asPath = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'set' as const,
      'sequence' as const,
      'confed-sequence' as const,
      'confed-set' as const,
    ),
    asns: fc.array(asNumber, { minLength: 1, maxLength: 6 }),
  }),
  { maxLength: 3 },
);

const attributes = fc.record(
  {
    origin: fc.constantFrom(0 as const, 1 as const, 2 as const),
    asPath,
    nextHop: ipv4,
    multiExitDiscriminator: u32,
    localPreference: u32,
    atomicAggregate: fc.constant(true as const),
    aggregator: fc.record({ asn: asNumber, routerId: u32 }),
    communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
    originatorId: u32,
    clusterList: fc.array(u32, { minLength: 1, maxLength: 4 }),
    extendedCommunities: fc.array(fc.bigInt(0n, (1n << 64n) - 1n), { minLength: 1, maxLength: 4 }),
    largeCommunities: fc.array(fc.record({ global: u32, local1: u32, local2: u32 }), {
      minLength: 1,
      maxLength: 4,
    }),
    onlyToCustomer: u32,
    unknown: fc
      .uniqueArray(
        fc.record({
          flags: fc.constantFrom(0xc0, 0xe0),
          type: fc.integer({ min: 40, max: 250 }),
          value: bytes,
        }),
        { selector: ({ type }) => type, minLength: 1, maxLength: 3 },
      )
      .map((list) => list.toSorted((a, b) => a.type - b.type)),
  },
  { requiredKeys: ['origin', 'asPath', 'nextHop'] },
);

function update(addPath: boolean): fc.Arbitrary<Update> {
  const reach = fc.record({
    family: fc.constant(6 as const),
    nextHop: ipv6,
    nlri: nlriList(6, addPath, 0),
  });
  const unreach = fc.record({ family: fc.constant(6 as const), nlri: nlriList(6, addPath, 0) });
  return fc.record(
    {
      kind: fc.constant('update' as const),
      withdrawn: nlriList(4, addPath, 0),
      announced: nlriList(4, addPath, 0),
      attributes,
      reach,
      unreach,
      problems: fc.constant([]),
    },
    { requiredKeys: ['kind', 'withdrawn', 'announced', 'attributes', 'problems'] },
  );
}

const family = { afi: u16, safi: u8 };
const capability = fc.oneof(
  fc.record({ kind: fc.constant('multiprotocol' as const), ...family }),
  fc.constant({ kind: 'route-refresh' as const }),
  fc.constant({ kind: 'enhanced-route-refresh' as const }),
  fc.constant({ kind: 'extended-message' as const }),
  fc.record({
    kind: fc.constant('graceful-restart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTimeSeconds: fc.nat(4095),
    families: fc.array(fc.record({ ...family, forwarding: fc.boolean() }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('add-path' as const),
    families: fc.array(
      fc.record({ ...family, mode: fc.integer({ min: 1, max: 3 }) }).map(({ afi, safi, mode }) => ({
        afi,
        safi,
        receive: (mode & 1) !== 0,
        send: (mode & 2) !== 0,
      })),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant('extended-next-hop' as const),
    families: fc.array(fc.record({ afi: u16, safi: u16, nextHopAfi: u16 }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('role' as const),
    role: fc.constantFrom(...ROLES),
  }),
  fc.record({
    kind: fc.constant('long-lived-graceful-restart' as const),
    families: fc.array(
      fc.record({ ...family, forwarding: fc.boolean(), staleSeconds: fc.nat(0xff_ffff) }),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant('unknown' as const),
    code: fc.integer({ min: 72, max: 255 }),
    value: bytes,
  }),
);

const open = fc.record({
  asn: asNumber,
  holdTimeSeconds: u16.filter((seconds) => seconds !== 1 && seconds !== 2),
  routerId: fc.integer({ min: 1, max: 0xffff_ffff }),
  capabilities: fc.array(capability, { maxLength: 30 }),
});

/** Any message that survives the way to bytes and back, with the context it was made for. */
export const anyMessage: fc.Arbitrary<{ message: Message; context: WireContext }> = fc
  .boolean()
  .chain((addPath) =>
    fc
      .oneof(
        open.map(
          ({ asn, capabilities, ...rest }): Message => ({
            kind: 'open',
            asn,
            ...rest,
            capabilities: [{ kind: 'four-octet-as', asn }, ...capabilities],
          }),
        ),
        update(addPath),
        fc.record({
          kind: fc.constant('notification' as const),
          code: u8,
          subcode: u8,
          data: bytes,
        }),
        fc.constant<Message>({ kind: 'keepalive' }),
        fc.record({ kind: fc.constant('route-refresh' as const), afi: u16, safi: u8, subtype: u8 }),
      )
      .map((message) => ({
        // fast-check makes objects without a prototype; the codec makes ordinary ones.
        message: structuredClone<Message>(message),
        context: { ...DEFAULT_CONTEXT, addPath: addPath ? ([4, 6] as const) : [] },
      })),
  );

export { parseAddress as address };
