import type { Emitter, Value } from '../emit/index.ts';
import { int } from '../emit/index.ts';

/** The domain of ONNX Runtime's blocked operators. They are private to a build and a processor: no file ever holds one. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** The properties of the session. */
export interface LowerTarget {
  /** Channels per block in this machine's runtime. */
  readonly block: number;
  /** Samples in each step. */
  readonly batch: number;
}

export type Dims4 = readonly [number, number, number, number];

/** The forms in which a value exists: a reorder is emitted when a form is first requested, and only once. */
export class Layouts {
  readonly #op: Emitter;
  readonly #target: LowerTarget;
  readonly #forms = new Map<Value, { original: Value; plain?: Value; blocked?: Value }>();

  constructor(op: Emitter, target: LowerTarget) {
    this.#op = op;
    this.#target = target;
  }

  dims({ dtype, shape }: Value): Dims4 | undefined {
    if (dtype !== 'float32' || shape?.length !== 4) return undefined;
    const [n, c, h, w] = shape;
    if (typeof c !== 'number' || typeof h !== 'number' || typeof w !== 'number') return undefined;
    return [typeof n === 'number' ? n : this.#target.batch, c, h, w];
  }

  isBlocked(value: Value): boolean {
    return this.#forms.get(value)?.blocked !== undefined;
  }

  /** ReorderInput takes channels by fours. */
  canBlock(value: Value): boolean {
    const dims = this.dims(value);
    return this.isBlocked(value) || (dims !== undefined && dims[1] % 4 === 0);
  }

  plain(value: Value): Value {
    const form = this.#forms.get(value);
    if (form?.blocked === undefined) return form?.plain ?? value;
    form.plain ??= this.#reorder('ReorderOutput', form.blocked, form.original, {
      channels: int(Number(form.original.shape?.[1])),
    });
    this.#forms.set(form.plain, form);
    return form.plain;
  }

  blocked(value: Value): Value {
    const form = this.#forms.get(value) ?? { original: value, plain: value };
    this.#forms.set(value, form);
    form.blocked ??= this.#reorder('ReorderInput', form.plain ?? value, form.original, {});
    return form.blocked;
  }

  /** `value` exists in blocks, and in no other form yet. */
  place(value: Value, blocked: Value): void {
    blocked.dtype = value.dtype;
    blocked.shape = this.#paddedShape(value);
    this.#forms.set(value, { original: value, blocked });
  }

  /** With planes of one element and whole blocks, both forms are identical in memory. */
  #reorder(opType: string, from: Value, original: Value, attributes: Record<string, ReturnType<typeof int>>): Value {
    const { shape } = original;
    const isSame = shape?.[2] === 1 && shape[3] === 1 && Number(shape[1]) % this.#target.block === 0;
    if (isSame) return from;
    const outcome = this.#op.call(opType, [from], { domain: BLOCKED_DOMAIN, attributes, dtype: original.dtype });
    outcome.shape = opType === 'ReorderInput' ? this.#paddedShape(original) : shape;
    return outcome;
  }

  #paddedShape({ shape }: Value): Value['shape'] {
    const { block } = this.#target;
    return shape?.map((dim, i) => (i === 1 ? Math.ceil(Number(dim) / block) * block : dim));
  }
}
