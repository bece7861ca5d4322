import type { Dim, Shape } from '../tensor.ts';

/** The shape of an elementwise operator's result (ONNX multidirectional broadcasting); `undefined` if a rank is unknown. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  if (a === undefined || b === undefined) return undefined;
  const rank = Math.max(a.length, b.length);
  const dims: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const left = i < rank - a.length ? 1 : a[i - (rank - a.length)];
    const right = i < rank - b.length ? 1 : b[i - (rank - b.length)];
    dims.push(broadcastDims(left, right));
  }
  return dims;
}

function broadcastDims(a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1 || a === b) return a;
  if (typeof a === 'number') return a;
  return typeof b === 'number' ? b : undefined;
}

/** Whether two shapes are known to be the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((dim, i) => dim !== undefined && dim === b[i]);
}

/** All dimensions as numbers, or `undefined` if one is not. */
export function staticDims(shape: Shape): readonly number[] | undefined {
  const known = shape?.filter((dim): dim is number => typeof dim === 'number');
  return known !== undefined && known.length === shape?.length ? known : undefined;
}
