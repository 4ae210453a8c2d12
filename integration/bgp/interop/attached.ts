// What is attached to announced routes, and communities as each daemon writes them.
import { Origin, type PathAttributes } from '@calico/bgp-wire';

export type Attached = {
  readonly communities: readonly string[];
  readonly extended: readonly string[];
  readonly large: readonly string[];
  readonly med: number;
  readonly preference: number;
};

/** By every daemon, unless a session says otherwise. */
export const ATTACHED: Attached = {
  communities: ['64512:100'],
  extended: [],
  large: ['64512:1:2'],
  med: 50,
  preference: 200,
};
/** Standard ones, NO_EXPORT and NOPEER, targets and origins of two and four octets, a large one. */
export const ATTACHED_ALL: Attached = {
  ...ATTACHED,
  communities: ['64512:100', '65535:65281', '65535:65284'],
  extended: ['ro:4200000001:7', 'rt:64512:100'],
  large: ['4200000001:1:2', '64512:1:2'],
};

/** As the speaker and MRT files have them. */
export function attributesOf({ communities, extended, large, ...rest }: Attached): PathAttributes {
  return {
    origin: Origin.Igp,
    asPath: [],
    multiExitDiscriminator: rest.med,
    localPreference: rest.preference,
    communities: communities.map((text) => {
      const [high = 0, low = 0] = text.split(':').map(Number);
      return high * 0x1_0000 + low;
    }),
    ...(extended.length === 0 ? {} : { extendedCommunities: extended.map(extendedCommunity) }),
    largeCommunities: large.map((text) => {
      const [global = 0, local1 = 0, local2 = 0] = text.split(':').map(Number);
      return { global, local1, local2 };
    }),
  };
}

/** RFC 4360 with an AS number of two octets, RFC 5668 with one of four. */
function extendedCommunity(text: string): bigint {
  const [name, asn = '0', local = '0'] = text.split(':');
  const subtype = name === 'rt' ? 2n : 3n;
  const isLong = Number(asn) > 0xffff;
  const value = isLong
    ? (BigInt(asn) << 16n) | BigInt(local)
    : (BigInt(asn) << 32n) | BigInt(local);
  return ((isLong ? 0x02n : 0x00n) << 56n) | (subtype << 48n) | value;
}

const WELL_KNOWN: Readonly<Record<string, string>> = {
  'no-export': '65535:65281',
  'no-peer': '65535:65284',
  nopeer: '65535:65284',
};

/** Communities as programs write them, in numbers and sorted: "NO_EXPORT", "no-export" … */
export function communitiesOf(texts: readonly string[]): readonly string[] {
  return texts
    .map((text) => WELL_KNOWN[text.toLowerCase().replaceAll('_', '-')] ?? text)
    .toSorted();
}

function plainAsn(_text: string, high: string, low: string): string {
  return `:${Number(high) * 0x1_0000 + Number(low)}:`;
}

/** Extended communities as "rt:64512:100", sorted: "RT:…", "soo …", "target:…", "origin:…". */
export function extendedOf(texts: readonly string[]): readonly string[] {
  return texts
    .map((text) => {
      const [type = '', ...rest] = text.toLowerCase().split(/[ :]/);
      // ExaBGP marks AS numbers of four octets, "4200000001L"; GoBGP halves them, "64086.59905".
      const isTarget = type === 'rt' || type === 'target';
      return [isTarget ? 'rt' : 'ro', ...rest]
        .join(':')
        .replace('l:', ':')
        .replace(/:(\d+)\.(\d+):/, plainAsn);
    })
    .toSorted();
}
