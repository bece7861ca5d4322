import type { Graph, Value } from '../../ir/graph.ts';
import type { Dim, Shape } from '../../tensor.ts';
import { dataShaped } from './dataShapes.ts';
import { passesOn } from './derived.ts';
import type { Rehearsal } from './rehearsal.ts';
import { isSymbol } from './trialSizes.ts';

/** Knowledge about dimensions, from ONNX Runtime's claims and from runs. */
export class Facts {
  readonly #rehearsal: Rehearsal;
  readonly #dataShaped: ReadonlySet<Value>;
  readonly #own = new Map<Value, Shape>();
  readonly #symbols = new Map<string, string>();

  constructor(graph: Graph, rehearsal: Rehearsal) {
    this.#rehearsal = rehearsal;
    this.#dataShaped = dataShaped(graph);
  }

  /** The value whose dimensions these are: an operator may only pass them on. */
  root(value: Value): Value {
    let root = value;
    for (;;) {
      const input =
        root.producer && !this.#isKnown(root) && passesOn(root.producer) ? root.producer.inputs[0] : undefined;
      if (input === undefined) return root;
      root = input;
    }
  }

  #isKnown(value: Value): boolean {
    return this.#own.has(value) || (this.#rehearsal.runs[0]?.dims.has(value) ?? false);
  }

  set(value: Value, shape: Shape): void {
    this.#own.set(value, shape);
  }

  /** The dimensions of any value; only the rank if no run showed it. */
  of(value: Value): Shape {
    const root = this.root(value);
    if (this.#own.has(root)) return this.#own.get(root);
    return root.producer === undefined ? root.shape : (this.observed(root) ?? root.shape?.map(() => undefined));
  }

  /** The dimensions of a value shown by runs, given its shape as ONNX Runtime claims it. */
  observed(value: Value): readonly Dim[] | undefined {
    const [rank] = this.#rehearsal.runs.map(({ dims }) => dims.get(value)?.length);
    if (rank === undefined) return undefined;
    return Array.from({ length: rank }, (_, axis) => {
      const claim = value.shape?.length === rank ? value.shape[axis] : undefined;
      return this.#dimension(value, axis, claim);
    });
  }

  #lengths(value: Value, axis: number): readonly (number | undefined)[] {
    return this.#rehearsal.runs.map(({ dims }) => dims.get(value)?.[axis]);
  }

  #dimension(value: Value, axis: number, claim: Dim): Dim {
    const lengths = this.#lengths(value, axis);
    const [length] = lengths;
    const isSame = lengths.every((other) => other === length);
    if (isSame && claim === length) return length;
    if (typeof claim === 'string' && isSymbol(claim) && this.#follows(claim, lengths)) return claim;
    if (!this.#rehearsal.isVaried || this.#dataShaped.has(value)) return undefined;
    return isSame ? length : this.#symbolOf(lengths);
  }

  /** The one symbol of the inputs that had these sizes in the runs. */
  #symbolOf(lengths: readonly (number | undefined)[]): string | undefined {
    const [first] = this.#rehearsal.runs;
    const names = [...(first?.sizes.keys() ?? [])].filter((name) => isSymbol(name) && this.#follows(name, lengths));
    return names.length === 1 ? names[0] : undefined;
  }

  /** Whether lengths equal an input symbol's sizes; other symbols have unknown values. */
  #follows(symbol: string, lengths: readonly (number | undefined)[]): boolean {
    return this.#rehearsal.runs.every(({ sizes }, i) => !sizes.has(symbol) || sizes.get(symbol) === lengths[i]);
  }

  /** Whether every run gave a length. */
  saw(value: Value, axis: number, stated: Dim): boolean {
    return this.#lengths(this.root(value), axis).every((length) => length === stated);
  }

  /** Whether a claim about a dimension agrees with the runs. Symbols that no input has must agree with themselves. */
  confirms(value: Value, axis: number, stated: Dim): boolean {
    const root = this.root(value);
    const fact = this.of(value)?.[axis];
    if (stated === undefined || stated === fact) return true;
    const lengths = this.#lengths(root, axis);
    if (typeof stated === 'number' || lengths.includes(undefined)) return false;
    if (this.#rehearsal.runs.some(({ sizes }) => sizes.has(stated))) return this.#follows(stated, lengths);
    const before = this.#symbols.get(stated) ?? lengths.join();
    this.#symbols.set(stated, before);
    return before === lengths.join();
  }
}
