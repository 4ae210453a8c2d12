// Whether an endpoint is judged the same by two rulesets: its program, the chains that it reaches, and their sets.
import { type Dispatch, dispatched } from '../compiler/dispatch.ts';
import type { NamedSet, Rule, Ruleset, Statement, Verdict } from '../compiler/ruleset.ts';

export class ProgramComparison {
  readonly #before: Ruleset;
  readonly #after: Ruleset;
  readonly #chains = new Map<string, boolean>();
  readonly #sets = new Map<string, boolean>();

  constructor(before: Ruleset, after: Ruleset) {
    this.#before = before;
    this.#after = after;
  }

  isSame(dispatch: Dispatch, interfaceName: string): boolean {
    const before = dispatched(this.#before, dispatch, interfaceName);
    return this.#sameVerdict(before, dispatched(this.#after, dispatch, interfaceName));
  }

  #sameVerdict(before: Verdict | undefined, after: Verdict | undefined): boolean {
    if (before === undefined || after === undefined) return before === after;
    const [[kind, from], [other, to]] = [before.split(' '), after.split(' ')];
    if (from === undefined || to === undefined) return before === after;
    return kind === other && this.#sameChain(from, to);
  }

  #sameChain(before: string, after: string): boolean {
    const key = `${before} ${after}`;
    const known = this.#chains.get(key);
    if (known !== undefined) return known;
    const [own, other] = [
      this.#before.chains.get(before)?.rules ?? [],
      this.#after.chains.get(after)?.rules ?? [],
    ];
    const isSame =
      own.length === other.length &&
      own.every((rule, index) => this.#sameRule(rule, other[index] ?? rule));
    this.#chains.set(key, isSame);
    return isSame;
  }

  #sameRule({ statements }: Rule, other: Rule): boolean {
    return (
      statements.length === other.statements.length &&
      statements.every((statement, index) =>
        this.#sameStatement(statement, other.statements[index]),
      )
    );
  }

  #sameStatement(statement: Statement, other: Statement | undefined): boolean {
    if (statement.kind === 'verdict' && other?.kind === 'verdict') {
      return this.#sameVerdict(statement.verdict, other.verdict);
    }
    if (JSON.stringify(statement) !== JSON.stringify(other)) return false;
    if (statement.kind === 'verdict-map' || statement.kind === 'counter-map') {
      return this.#sameSet(statement.map);
    }
    if (statement.kind !== 'match' || !statement.value.startsWith('@')) return true;
    return this.#sameSet(statement.value.slice(1));
  }

  #sameSet(name: string): boolean {
    const known = this.#sets.get(name);
    if (known !== undefined) return known;
    const isSame = sameElements(this.#before.sets.get(name), this.#after.sets.get(name));
    this.#sets.set(name, isSame);
    return isSame;
  }
}

function sameElements(before: NamedSet | undefined, after: NamedSet | undefined): boolean {
  if (before?.elements === after?.elements) return true;
  if (before === undefined || after?.elements.size !== before.elements.size) return false;
  return [...before.elements].every(
    ([element, value]) => after.elements.has(element) && after.elements.get(element) === value,
  );
}
