import type { GradientContext } from '../../../src/contract.ts';
import { type Dim, type Node, type Pen, string, stringAttribute, type Value } from '../../../src/emit/index.ts';
import { identityMatrix, lengthOf, range, rankOf } from '../../support/shapes.ts';

/** One letter per axis. */
interface Term {
  readonly letters: string;
  readonly value: Value;
}

/** An operand's gradient contracts dy with all other operands: the same sum of products, read with dy in the operand's place. */
export function einsumGradient({ op, node, input, dy, wants }: GradientContext): (Value | undefined)[] {
  const operands = node.inputs.map((_, i) => input(i));
  const { inputs, output, ellipsis } = lettersOf(node, operands);
  const { terms, identities } = withoutDiagonals(
    op,
    operands.map((value, i) => ({ value, letters: inputs[i] ?? '' })),
  );
  return terms.map((term, i) => {
    if (!wants(i)) return undefined;
    const others = [...terms.filter((_, k) => k !== i), ...identities];
    const gradient = operandGradient(op, term, [{ letters: output, value: dy }, ...others]);
    if (gradient === dy) return dy;
    const isBroadcast = (k: number): boolean => ellipsis.includes(term.letters[k] ?? '');
    gradient.shape = term.value.shape?.map((dim, k) => (isBroadcast(k) ? gradient.shape?.[k] : dim));
    return gradient;
  });
}

function operandGradient(op: Pen, { letters, value }: Term, factors: readonly Term[]): Value {
  const tensors = factors.filter((factor) => factor.letters !== '');
  const scalars = factors.filter((factor) => factor.letters === '').map((factor) => factor.value);
  const kept = [...letters].filter((letter) => tensors.some((tensor) => tensor.letters.includes(letter)));
  const product = tensors.length === 0 ? scalars.shift() : contracted(op, tensors, kept.join(''));
  if (!product) throw new Error('an Einsum without operands');
  const scaled = scalars.reduce((x, scalar) => op.mul(x, scalar), product);
  const missing = [...letters].flatMap((letter, i) => (kept.includes(letter) ? [] : [i]));
  const ranked = missing.length === 0 || tensors.length === 0 ? scaled : op.unsqueeze(scaled, missing);
  return missing.length > 0 || isNarrower(ranked, value) ? op.expandLike(ranked, value) : ranked;
}

function contracted(op: Pen, tensors: readonly Term[], letters: string): Value {
  const [first] = tensors;
  if (tensors.length === 1 && first?.letters === letters) return first.value;
  const equation = `${tensors.map((tensor) => tensor.letters).join()}->${letters}`;
  const shape = [...letters].map((letter) => dimOf(tensors, letter));
  return op.call(
    'Einsum',
    tensors.map((tensor) => tensor.value),
    { attributes: { equation: string(equation) }, shape },
  );
}

/**
 * A letter that an operand repeats selects its diagonal: it gets another letter, and an identity matrix over both becomes a further
 * factor.
 */
function withoutDiagonals(
  op: Pen,
  terms: readonly Term[],
): { readonly terms: readonly Term[]; readonly identities: readonly Term[] } {
  const used = new Set(terms.flatMap(({ letters }) => [...letters]));
  const free = ALPHABET.filter((letter) => !used.has(letter));
  const identities: Term[] = [];
  const apart = terms.map(({ letters, value }) => {
    const own = [...letters].map((letter, axis) => {
      if (letters.indexOf(letter) === axis) return letter;
      const other = free.shift() ?? letter;
      identities.push({ letters: letter + other, value: identityMatrix(op, lengthOf(op, value, axis), value.dtype) });
      return other;
    });
    return { letters: own.join(''), value };
  });
  return { terms: apart, identities };
}

/** Under an ellipsis an axis of length 1 is broadcast against the others of its letter. */
function dimOf(tensors: readonly Term[], letter: string): Dim {
  const dims = tensors.flatMap(({ letters, value }) => {
    const axis = letters.indexOf(letter);
    return axis < 0 ? [] : [value.shape?.[axis]];
  });
  return dims.every((dim) => dim === 1) ? 1 : dims.find((dim) => dim !== 1);
}

function isNarrower({ shape }: Value, like: Value): boolean {
  return shape?.some((dim, i) => dim === 1 && like.shape?.[i] !== 1) ?? false;
}

interface Equation {
  readonly inputs: readonly string[];
  readonly output: string;
  /** The letters of an ellipsis: only these axes are broadcast. */
  readonly ellipsis: string;
}

/** The equation with a letter for every axis, and with its output. */
function lettersOf(node: Node, operands: readonly Value[]): Equation {
  const equation = stringAttribute(node, 'equation', '').replaceAll(/\s/g, '');
  const [left = '', right] = equation.split('->');
  const free = ALPHABET.filter((letter) => !equation.includes(letter));
  const terms = left.split(',');
  const ellipsis = free.slice(0, Math.max(...terms.map((term, i) => ellipsisRank(node, term, operands[i])))).join('');
  const inputs = terms.map((term) => term.replace('...', ellipsis));
  return { inputs, ellipsis, output: right?.replace('...', ellipsis) ?? implicitOutput(inputs, ellipsis) };
}

const ALPHABET = [...range(26, 65), ...range(26, 97)].map((code) => String.fromCharCode(code));

function ellipsisRank(node: Node, term: string, operand: Value | undefined): number {
  return term.includes('...') && operand ? rankOf(node, operand) - (term.length - 3) : 0;
}

/** Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order. */
function implicitOutput(inputs: readonly string[], ellipsis: string): string {
  const all = inputs.join('');
  const once = [...new Set(all)].filter((letter) => !ellipsis.includes(letter) && all.split(letter).length === 2);
  return ellipsis + once.sort().join('');
}
