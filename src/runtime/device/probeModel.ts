/**
 * A one-chain model, y = Flatten(Conv(x, w)) · m, as ONNX (IR 7, opset 13), made with Python's onnx 1.23: its Conv needs cuDNN and its
 * MatMul needs cuBLAS. Its numbers are sums of small halves and quarters, exact in float32 and in TF32 alike.
 */
const MODEL = [
  'CAcSCWxvc3NncmFmdDq3AQoVCgF4CgF3EgFjGgRjb252IgRDb252ChgKAWMSAWYaB2ZsYXR0ZW4iB0ZsYXR0ZW4KGQoBZgoBbRIBeRoGbWF0bXVs',
  'IgZNYXRNdWwSBXByb2JlWhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAgoCCANaGwoBdxIWChQIARIQCgIIAQoCCAEKAggCCgIIAloTCgFtEg4KDAgB',
  'EggKAggCCgIIAmITCgF5Eg4KDAgBEggKAggBCgIIAkIECgAQDQ==',
];

export const probeModel: Uint8Array = Buffer.from(MODEL.join(''), 'base64');

export const probeFeeds: Readonly<
  Record<string, { readonly dims: readonly number[]; readonly data: readonly number[] }>
> = {
  x: { dims: [1, 1, 2, 3], data: [1, 2, 3, 4, 5, 6] },
  w: { dims: [1, 1, 2, 2], data: [1, -1, 0.5, 2] },
  m: { dims: [2, 2], data: [1, 2, -3, 0.5] },
};

/** c = (11, 13.5): y = (11 − 3·13.5, 2·11 + 13.5/2). */
export const probeAnswer: readonly number[] = [-29.5, 28.75];

/** Whether a run of the model came to its answer. */
export function isProbeRight(numbers: readonly number[] = []): boolean {
  const isNear = (want: number, i: number): boolean => Math.abs((numbers[i] ?? Number.NaN) - want) <= 1e-4;
  return numbers.length === probeAnswer.length && probeAnswer.every(isNear);
}
