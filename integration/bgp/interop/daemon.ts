// What a foreign BGP daemon has to be able to do to be a column of the matrix.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BgpLab, Speaker } from '../bgp_lab.ts';
import type { Attached } from './attached.ts';
import { Program, type ProgramPlan } from './program.ts';

/** One session between ours and a daemon, as both ends are configured. */
export type Session = {
  /** AS number of the daemon; ours is 64512. */
  readonly asn: number;
  /** Of the addresses that the session runs between. */
  readonly transport: 4 | 6;
  readonly families: readonly (4 | 6)[];
  readonly password?: string;
  readonly hasTtlSecurity?: boolean;
  readonly hasExtendedNextHop?: boolean;
  /** The daemon is a route reflector; ours and the far node are its clients (RFC 4456). */
  readonly isReflector?: boolean;
  /** Several paths of a prefix, both ways (RFC 7911). */
  readonly hasAddPath?: boolean;
  /** Both ends watch the path, 3 x 300 ms (RFC 5880). */
  readonly hasBfd?: boolean;
  /** What it attaches to what it announces. */
  readonly attached?: Attached;
  /** Further routes that it announces: "172.31.0.0/24" … */
  readonly routes?: readonly string[];
  /** Unless false; some end a session without a word for it (RFC 4724). */
  readonly hasGracefulRestart?: boolean;
  /** A community that its policy adds to what it hears, and one for what it tells: "64512:901". */
  readonly adds?: { readonly heard?: string; readonly told?: string };
  /** Ours adds OUR_FILTER's community, both ways. */
  readonly isFiltered?: boolean;
};

/** A route as a daemon or ours shows it, in one notation. */
export type SeenRoute = {
  readonly prefix: string;
  readonly nextHop: string;
  /** "64512 65000"; "" for the own AS. */
  readonly asPath: string;
  readonly origin: string;
  /** Sorted: "64512:100". */
  readonly communities: readonly string[];
  /** Sorted: "rt:64512:100". */
  readonly extendedCommunities: readonly string[];
  /** Sorted: "64512:1:2". */
  readonly largeCommunities: readonly string[];
  readonly med: number | undefined;
  readonly localPreference: number | undefined;
};

export type Ends = {
  readonly self: Speaker;
  readonly ours: Speaker;
  /** Ours on another node: what lies behind a daemon that reflects. */
  readonly far: Speaker;
  readonly lab: BgpLab;
};

export const OUR_ASN = 64_512;
/** MEDs of the paths to one prefix where there are several. */
export const SEVERAL_MEDS = [10, 20];
/** Announced with several paths from beyond a daemon that reflects, and by one that does not itself. */
export const FAR_TWICE = '198.51.102.0/24';

export abstract class Daemon {
  abstract readonly name: string;
  /** Last octet of its addresses. */
  abstract readonly octet: number;
  /** Whether what one peer tells goes on to others. */
  readonly isRouter: boolean = true;
  /** Whether it can be told to announce extended communities. */
  readonly attachesExtended: boolean = true;
  /** Why it cannot take part in a feature; its version's documentation says so. */
  readonly lacks: Readonly<Record<string, string>> = {};
  /** What it does a part of; the table says which. */
  readonly partly: Readonly<Record<string, string>> = {};
  protected readonly ends: Ends;
  #program: Program | undefined;

  constructor(ends: Ends) {
    this.ends = ends;
  }

  /** Address of the daemon that the session runs from. */
  address(transport: 4 | 6): string {
    return transport === 4 ? this.ends.self.address : `fd00:80::${this.octet}`;
  }

  /** Address of ours. */
  get ourAddress(): string {
    return this.ends.ours.address;
  }

  ourAddressOf(transport: 4 | 6): string {
    return transport === 4 ? this.ourAddress : `fd00:80::${this.ourAddress.split('.')[3]}`;
  }

  /** Whom it has sessions with. */
  protected peersOf({ transport, isReflector = false }: Session): string[] {
    const far = isReflector ? [this.ends.far.address] : [];
    return [this.ourAddressOf(transport), ...far];
  }

  /** What it announces in every session. */
  announced(family: 4 | 6): string {
    return family === 4 ? `172.30.${this.octet}.0/24` : `fd00:30:${this.octet}::/64`;
  }

  /** Starts it anew with this session. */
  abstract start(session: Session): Promise<void>;
  /** What it has from ours. */
  abstract seen(session: Session, family: 4 | 6): Promise<readonly SeenRoute[]>;
  /**
   * Goes over to a session that differs in `adds` alone, without ending it. For other communities of what it
   * hears it asks ours to tell that again; what it tells, it tells anew when it is asked to.
   */
  adopt?(session: Session): Promise<void>;
  /** How often it says that it has asked ours, and was asked; where what it adds does not show it. */
  refreshes?(session: Session): Promise<{ readonly sent: number; readonly received: number }>;
  /** For what it may have taken wrongly while it started. */
  askAgain?(session: Session): Promise<void>;
  /** Ends the session with a text for the other side (RFC 9003); answers its own where it takes none. */
  shutDown?(session: Session, message: string): Promise<string>;

  /** It hears and says nothing any more. */
  suspend(): void {
    this.#program?.signal('SIGSTOP');
  }

  /** As `kill -9`; start() or restart() brings it back. */
  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  /** Starts it again as it was, after kill(). */
  async restart(): Promise<void> {
    await this.#program?.start();
  }

  log(): string {
    return this.#program?.log() ?? '';
  }

  /** Where it shows why the other side has ended a session. */
  async reasonsHeard(_session: Session): Promise<string> {
    return this.log();
  }

  /** For a daemon that reads its files again when it is told to. */
  protected rewrite(name: string, text: string): void {
    writeFileSync(join(this.ends.self.directory, name), text);
  }

  /** Runs this in place of what ran before. */
  protected async run(plan: ProgramPlan): Promise<void> {
    await this.kill();
    this.#program = new Program(this.ends.lab, this.ends.self.name, plan);
    await this.#program.start();
  }
}

/** Of what takes the daemon the better part of a minute, a tenth does, but for CALICO_INTEROP_FULL=1. */
export function inFullRuns(feature: string): Readonly<Record<string, string>> {
  const isFull = process.env['CALICO_INTEROP_FULL'] === '1';
  return isFull ? {} : { [feature]: '10,000, and all in full runs: it is slow' };
}

/** Text of a program, or '' while it cannot answer. */
export function quietly(text: Promise<string>): Promise<string> {
  return text.catch(() => '');
}
