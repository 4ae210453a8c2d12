// FRR as a router in a speaker's namespace: zebra writes what bgpd learns into the kernel, bfdd watches paths.
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BgpLab } from './bgp_lab.ts';
import { Program } from './interop/program.ts';

export class FrrRouter {
  readonly #lab: BgpLab;
  readonly #name: string;
  readonly #program: Program;

  /**
   * @param name of the speaker whose namespace it is in
   * @param configuration of bgpd
   */
  constructor(lab: BgpLab, name: string, configuration: string) {
    this.#lab = lab;
    this.#name = name;
    const zebra = { socket: this.#file('zserv.api'), command: this.#command('zebra') };
    const control = ['--bfdctl', this.#file('bfdd.ctl')];
    const bfdd = { socket: this.#file('bfdd.vty'), command: this.#command('bfdd', control) };
    this.#program = new Program(lab, name, {
      files: { 'zebra.conf': '\n', 'bfdd.conf': '\n', 'bgpd.conf': configuration },
      helpers: [zebra, bfdd],
      command: this.#command('bgpd'),
      isReady: async () =>
        existsSync(this.#file('bgpd.vty')) && (await this.show('version')) !== '',
    });
  }

  async start(): Promise<void> {
    // Both give root up, for a user who has to get at their files.
    chmodSync(this.#lab.directory, 0o711);
    await this.#lab.run(this.#name, `chown -R frr ${this.#file('')}`);
    await this.#program.start();
  }

  /** What `show` answers; '' when it does not. */
  async show(what: string): Promise<string> {
    return this.#vtysh([`show ${what}`]).catch(() => '');
  }

  /** Enters lines as in its configuration. */
  async configure(...lines: readonly string[]): Promise<void> {
    await this.#vtysh(['configure terminal', ...lines]);
  }

  /** To all of its daemons. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#program.signal(signal);
  }

  log(): string {
    return this.#program.log();
  }

  #vtysh(commands: readonly string[]): Promise<string> {
    const words = commands.flatMap((command) => ['-c', command]);
    const sockets = ['--vty_socket', this.#file('')];
    return this.#lab.exec(this.#name, ['vtysh', ...sockets, '-d', 'bgpd', ...words]);
  }

  #file(name: string): string {
    return join(this.#lab.speaker(this.#name).directory, name);
  }

  #command(name: string, own: readonly string[] = []): string[] {
    const files = ['-f', this.#file(`${name}.conf`), '-i', this.#file(`${name}.pid`)];
    const sockets = ['--vty_socket', this.#file(''), '-P', '0', '-z', this.#file('zserv.api')];
    return [`/usr/lib/frr/${name}`, ...files, ...sockets, '--log', 'stdout', ...own];
  }
}
