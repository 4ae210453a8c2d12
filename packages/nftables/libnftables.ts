// libnftables.so.1 by FFI: lists what the kernel holds.
import koffi from 'koffi';
import { NftablesError } from './errors.ts';

// nftables/libnftables.h, NFT_CTX_OUTPUT_*
const STATELESS = 1 << 2;
const JSON_OUTPUT = 1 << 4;
const NUMERIC = (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10);

type Context = unknown;
type Functions = {
  readonly create: (flags: number) => Context;
  readonly free: (context: Context) => void;
  readonly bufferOutput: (context: Context) => number;
  readonly bufferErrors: (context: Context) => number;
  readonly output: (context: Context) => string | null;
  readonly errors: (context: Context) => string | null;
  readonly setFlags: (context: Context, flags: number) => void;
  readonly run: (context: Context, text: string, done: (result: number) => void) => void;
};

let loaded: Functions | undefined;

function functions(): Functions {
  loaded ??= load();
  return loaded;
}

function load(): Functions {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libnftables.so.1');
  } catch (cause) {
    const advice = 'install the package libnftables1 (Debian) or nftables';
    throw new NftablesError(`Cannot load "libnftables.so.1": ${advice}`, { cause });
  }
  const run = library.func('int nft_run_cmd_from_buffer(void*, const char*)');
  return {
    create: library.func('void* nft_ctx_new(uint32_t)'),
    free: library.func('void nft_ctx_free(void*)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void*)'),
    bufferErrors: library.func('int nft_ctx_buffer_error(void*)'),
    output: library.func('const char* nft_ctx_get_output_buffer(void*)'),
    errors: library.func('const char* nft_ctx_get_error_buffer(void*)'),
    setFlags: library.func('void nft_ctx_output_set_flags(void*, uint32_t)'),
    run(context, text, done) {
      run.async(context, text, (error: unknown, result: unknown) => {
        done(error ? -1 : Number(result));
      });
    },
  };
}

/**
 * Lists what is in the network namespace that was current when this was made, and runs the few commands that are not
 * worth messages of our own. Commands run on a thread of the pool, one after the other.
 */
export class Libnftables {
  readonly #functions = functions();
  #context: Context;
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const context = this.#functions.create(0);
    if (context === null) throw new NftablesError('Cannot make a context of libnftables');
    this.#functions.bufferOutput(context);
    this.#functions.bufferErrors(context);
    this.#context = context;
  }

  /** What a list command prints, as JSON text (libnftables-json(5)). Throws NftablesError. */
  list(text: string): Promise<string> {
    return this.#queue(text, JSON_OUTPUT | STATELESS | NUMERIC);
  }

  /** Runs commands of nft(8) as one transaction. Throws NftablesError with what the kernel said. */
  async run(text: string): Promise<void> {
    await this.#queue(text, 0);
  }

  /** Waits for the command that is under way. */
  async close(): Promise<void> {
    await this.#last.catch(() => {});
    if (this.#context !== null) this.#functions.free(this.#context);
    this.#context = null;
  }

  #queue(text: string, flags: number): Promise<string> {
    const result = this.#last.then(() => this.#execute(text, flags));
    this.#last = result.catch(() => {});
    return result;
  }

  #execute(text: string, flags: number): Promise<string> {
    const { run, setFlags, output, errors } = this.#functions;
    return new Promise((resolve, reject) => {
      if (this.#context === null) {
        reject(new NftablesError('Cannot run a command of nftables: it was closed'));
        return;
      }
      setFlags(this.#context, flags);
      run(this.#context, text, (result) => {
        const printed = output(this.#context) ?? '';
        const complaint = (errors(this.#context) ?? '').trim();
        if (result === 0) resolve(printed);
        else reject(new NftablesError(`Cannot change nftables: ${complaint}`));
      });
    });
  }
}
