import type { Node, Pen, Value } from '../../../src/emit/index.ts';
import { rankOf } from '../../support/shapes.ts';

/**
 * da = dy bᵀ and db = aᵀ dy of y = ab; the engine sums over batch axes that were broadcast. A vector is a matrix of one row or column. If
 * b is one matrix for a whole batch, its gradient is a single product over all rows, without summing a batch of products.
 */
export function matrixGradients(op: Pen, node: Node, a: Value, b: Value, dy: Value): [Value, Value] {
  const [aIsVector, bIsVector] = [rankOf(node, a) === 1, rankOf(node, b) === 1];
  const A = aIsVector ? op.unsqueeze(a, [0]) : a;
  const B = bIsVector ? op.unsqueeze(b, [1]) : b;
  const column = bIsVector ? op.unsqueeze(dy, [-1]) : dy;
  const dY = aIsVector ? op.unsqueeze(column, [-2]) : column;
  const [dA, dB] = isOneMatrix(B) ? foldedGradients(op, A, B, dY) : batchedGradients(op, A, B, dY);
  return [aIsVector ? op.squeeze(dA, [-2]) : dA, bIsVector ? op.squeeze(dB, [-1]) : dB];
}

function isOneMatrix({ shape }: Value): boolean {
  return shape?.slice(0, -2).every((dim) => dim === 1) ?? false;
}

/** The batch axes of a and dy are rows of one tall matrix. */
function foldedGradients(op: Pen, a: Value, b: Value, dy: Value): [Value, Value] {
  const [rows, matrix, dRows] = [asRows(op, a), asRows(op, b), asRows(op, dy)];
  const dRowsA = op.gemm(dRows, matrix, { transB: true });
  const dMatrix = op.gemm(rows, dRows, { transA: true });
  return [shaped(op, dRowsA, a), shaped(op, dMatrix, b)];
}

/** A matrix in the shape of `like`. */
function shaped(op: Pen, matrix: Value, like: Value): Value {
  if (like.shape?.length !== 2) return op.reshapeLike(matrix, like);
  matrix.shape = like.shape;
  return matrix;
}

/** [..., K] as [-1, K]. */
function asRows(op: Pen, x: Value): Value {
  if (x.shape?.length === 2) return x;
  const columns = x.shape?.at(-1);
  if (typeof columns === 'number' && columns > 0) return op.reshape(x, [-1, columns]);
  const flat = op.call('Flatten', [x], { attributes: { axis: { type: 'int', value: -1n } } });
  flat.shape = [undefined, columns];
  return flat;
}

/** The batch axes may be broadcast, the matrices are not. */
function batchedGradients(op: Pen, a: Value, b: Value, dy: Value): [Value, Value] {
  const [da, db] = [op.matMul(dy, swapped(op, b)), op.matMul(swapped(op, a), dy)];
  for (const [gradient, { shape }] of [[da, a] as const, [db, b] as const]) {
    if (gradient.shape && shape) gradient.shape = [...gradient.shape.slice(0, -2), ...shape.slice(-2)];
  }
  return [da, db];
}

function swapped(op: Pen, x: Value): Value {
  const axes = x.shape?.map((_, i) => i) ?? [];
  const [row = 0, column = 1] = axes.splice(-2);
  return op.transpose(x, [...axes, column, row]);
}
