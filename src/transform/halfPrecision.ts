import { castInto } from '../emit/castInto.ts';
import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import type { Node } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { fromNumbers, toNumbers } from '../numbers.ts';
import { cudaCoverage } from '../runtime/cuda/coverage.ts';
import type { DataType } from '../tensor.ts';
import type { ConstantReader } from './constantValues.ts';

/** `mixed` computes in float16, `mixed-bfloat16` in bfloat16; both keep the weights in float32. */
export type Precision = 'float32' | 'mixed' | 'mixed-bfloat16';
export type HalfType = 'float16' | 'bfloat16';

/** The element type in which a precision computes; `undefined` for float32. */
export function halfOf(precision: Precision | undefined): HalfType | undefined {
  if (precision === 'mixed') return 'float16';
  return precision === 'mixed-bfloat16' ? 'bfloat16' : undefined;
}

/** Products with weights take nearly all of the time, and add up in float32 on tensor cores. */
const PRODUCTS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Operators that stay in half precision where all that is computed of their inputs is in it, by the types for which CUDA has all kernels. */
const FOLLOWERS: Readonly<Record<HalfType, ReadonlySet<string>>> = (() => {
  const both =
    'Add Sub Mul Div Neg Sum Identity Sigmoid Tanh Erf Reshape Flatten Transpose Squeeze Unsqueeze Concat Split'.split(
      ' ',
    );
  const more = 'Relu LeakyRelu PRelu Clip HardSigmoid HardSwish Gelu MaxPool Slice Gather Pad Where DepthToSpace';
  return { bfloat16: new Set(both), float16: new Set([...both, ...more.split(' ')]) };
})();

export interface NarrowRequest {
  /** The model's own nodes: what a loss adds stays in float32. */
  readonly among: ReadonlySet<Node>;
  readonly constant: ConstantReader;
  /** Parameters: their values change, though the file has them as constants. */
  readonly trained: ReadonlySet<Value>;
}

/**
 * Lets the model's own products, and what only passes their results on, compute in half precision. Each float32 value stays what it was, for
 * whoever reads it in float32, as the Cast of its half; so every gradient rule takes the type of what it differentiates, and the gradient of a weight
 * comes back in float32 through the Cast of that weight. Sums over many elements, exponentials, normalisations, recurrent operators and
 * the loss keep float32.
 *
 * @returns the nodes that compute in half precision.
 */
export function narrow(op: Emitter, half: HalfType, request: NarrowRequest): Node[] {
  const writer = new Narrower(op, half, request);
  return topologicalOrder(op.graph).flatMap((node) => writer.visit(node) ?? []);
}

class Narrower {
  readonly #op: Emitter;
  readonly #half: HalfType;
  readonly #request: NarrowRequest;
  /** Values in float32 and the same in half precision. */
  readonly #twins = new Map<Value, Value>();
  /** Those that were computed so. */
  readonly #computed = new Set<Value>();

  constructor(op: Emitter, half: HalfType, request: NarrowRequest) {
    this.#op = op;
    this.#half = half;
    this.#request = request;
  }

  visit(node: Node): Node | undefined {
    if (!this.#request.among.has(node) || !this.#isWanted(node)) return undefined;
    const { graph } = this.#op;
    const made = graph.before(node, () => {
      const inputs = node.inputs.map((input) => input && this.#twinOf(input));
      const outputs = node.outputs.map((output) => output && this.#halfOutput(output));
      const { opType, attributes } = node;
      const written = graph.addNode({ opType, attributes, inputs, outputs });
      for (const [i, output] of node.outputs.entries()) {
        const twin = outputs[i];
        if (output && twin && twin !== output) castInto(graph, twin, output);
      }
      return written;
    });
    graph.remove(node);
    return made;
  }

  #isWanted(node: Node): boolean {
    const { domain, opType, captures, inputs, outputs, meta } = node;
    const isProduct = PRODUCTS.has(opType);
    if (domain !== '' || captures.length > 0 || meta.stopsGradient || meta.ownGradient) return false;
    if (!isProduct && !FOLLOWERS[this.#half].has(opType)) return false;
    if (isProduct && cudaCoverage(opType, this.#op.opset, this.#half).status !== 'cuda') return false;
    const floats = inputs.filter((input): input is Value => input?.dtype === 'float32');
    if (floats.length === 0 || outputs[0]?.dtype !== 'float32' || !floats.every((value) => this.#fits(value)))
      return false;
    const computed = floats.filter((value) => !this.#isGiven(value));
    return isProduct || (computed.length > 0 && computed.every((value) => this.#computed.has(value)));
  }

  /** A weight or a constant. */
  #isGiven(value: Value): boolean {
    return (
      this.#op.graph.initializers.has(value) || this.#request.trained.has(value) || this.#numbers(value) !== undefined
    );
  }

  #numbers(value: Value): readonly number[] | undefined {
    return this.#request.trained.has(value) ? undefined : this.#request.constant(value);
  }

  /** Constants such as the smallest float32 of a mask, or the epsilon of a division, have no half. */
  #fits(value: Value): boolean {
    return (
      this.#numbers(value)?.every((number) => {
        const [rounded = 0] = toHalf([number], this.#half);
        return Number.isFinite(rounded) === Number.isFinite(number) && (rounded === 0) === (number === 0);
      }) ?? true
    );
  }

  #twinOf(value: Value): Value {
    if (value.dtype !== 'float32') return value;
    const known = this.#twins.get(value);
    if (known) return known;
    const numbers = this.#numbers(value);
    const dims = value.shape?.map(Number);
    const data = numbers && dims && fromNumbers(numbers, this.#half);
    const twin = data ? this.#op.constant({ dtype: this.#half, dims, data }) : this.#castAhead(value);
    this.#twins.set(value, twin);
    return twin;
  }

  /** Right behind what makes it, so that all that reads it later may read the same. */
  #castAhead(value: Value): Value {
    const { graph } = this.#op;
    const cast = (): Value => this.#op.cast(value, this.#half);
    return graph.after(value.producer, cast);
  }

  #halfOutput(output: Value): Value {
    if (output.dtype !== 'float32') return output;
    const { graph } = this.#op;
    const twin = graph.define(graph.freshName(`lossgraft/half/${output.name}`), this.#half, output.shape);
    this.#twins.set(output, twin);
    this.#computed.add(output);
    return twin;
  }
}

function toHalf(numbers: readonly number[], dtype: DataType): number[] {
  const data = fromNumbers(numbers, dtype);
  return data ? toNumbers({ dtype, dims: [numbers.length], data }) : [];
}

/** @throws LossgraftError `mixed-precision` where nothing would compute in half precision. */
export function refuseUnnarrowed(narrowed: readonly Node[], half: HalfType, opset: number): void {
  if (narrowed.length > 0) return;
  const isBfloat = half === 'bfloat16';
  throw new LossgraftError({
    code: 'mixed-precision',
    where: 'option precision',
    expected: `a Conv, ConvTranspose, Gemm or MatMul that can compute in ${half} at opset ${opset}, in what is trained`,
    found: isBfloat ? 'none: for Conv, bfloat16 begins with opset 22' : 'none',
    hint: isBfloat ? 'Use mixed, which computes in float16, or leave the option out' : 'Leave the option out',
  });
}

/** @throws LossgraftError `mixed-precision`: whether an adapter computes in float16 differs, and none was tried. */
export function refuseOnWebgpu(precision: Precision | undefined): void {
  if (halfOf(precision) === undefined) return;
  throw new LossgraftError({
    code: 'mixed-precision',
    where: 'option precision',
    expected: 'float32 on WebGPU, where half precision was never tried',
    found: String(precision),
    hint: 'Leave the option out, or use CUDA or the CPU',
  });
}
