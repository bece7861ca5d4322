import type { Adapter } from './adapter.ts';
import { SINCE } from './history.ts';
import { resizeInputs, resizePixels, upsampleScales, upsampleToResize } from './resize.ts';
import {
  axesToInput,
  batchNormTraining,
  clipBounds,
  dropoutMask,
  dropoutRatio,
  padInputs,
  roiAlignPixels,
  scatterElements,
  sliceRanges,
  spatialBatchNorm,
  splitToInput,
  topK,
} from './settings.ts';
import { coercedAxis } from './softmax.ts';

/** The opsets between which a node can be raised. */
export const RAISED = { first: 7, last: 17 } as const;

/**
 * Changes that leave an older call valid: more element types, negative axes, optional inputs, outputs and attributes whose default is the
 * older meaning, or only new wording. OneHot, Gather and ConvTranspose (the side on which automatic padding puts an odd pixel) were also
 * reworded where the older text was open or wrong; ONNX Runtime computes them alike at all opsets.
 */
const ADDITIVE = `
  Abs 13; Add 13 14; ArgMax 11 12 13; ArgMin 11 12 13; AveragePool 10 11; BatchNormalization 15; Cast 9 13; Ceil 13;
  Clip 12 13; Compress 11; Concat 11 13; Constant 9 11 12 13; Conv 11; ConvTranspose 11; CumSum 14; DepthToSpace 11 13;
  DequantizeLinear 13; Div 13 14; Dropout 13; Equal 11 13; Erf 13; Exp 13; Expand 13; Flatten 9 11 13; Floor 13; GRU 14;
  Gather 11 13; GatherElements 13; GatherND 12 13; Gemm 9 11 13; Greater 9 13; GreaterOrEqual 16; Hardmax 11; Identity 13 14 16;
  If 11 13 16; IsNaN 13; LRN 13; LSTM 14; LeakyRelu 16; Less 9 13; LessOrEqual 16; Log 13; LogSoftmax 11; Loop 11 13 16; LpPool 11;
  MatMul 9 13; Max 8 12 13; MaxPool 8 10 11 12; MaxUnpool 11; Mean 8 13; MeanVarianceNormalization 13; Min 8 12 13; Mod 13;
  Mul 13 14; Neg 13; NegativeLogLikelihoodLoss 13; NonMaxSuppression 11; NonZero 13; OneHot 11; PRelu 9 16; Pad 13; Pow 12 13 15;
  QuantizeLinear 13; RNN 14; Reciprocal 13; ReduceL1 11 13; ReduceL2 11 13; ReduceLogSum 11 13; ReduceLogSumExp 11 13;
  ReduceMax 11 12 13; ReduceMean 11 13; ReduceMin 11 12 13; ReduceProd 11 13; ReduceSum 11; ReduceSumSquare 11 13; Relu 13 14;
  Reshape 13 14; Scan 11 16; ScatterElements 13 16; ScatterND 13 16; Shape 13 15; Sigmoid 13; Sign 13; Size 13; Slice 11 13;
  Softmax 11; SoftmaxCrossEntropyLoss 13; SpaceToDepth 13; Split 11; Sqrt 13; Squeeze 11; Sub 13 14; Sum 8 13; Tanh 13; Tile 13;
  TopK 11; Transpose 13; Unsqueeze 11; Where 16`;

const ADAPTERS: Readonly<Record<string, Adapter>> = {
  'BatchNormalization 9': spatialBatchNorm,
  'BatchNormalization 14': batchNormTraining,
  'Clip 11': clipBounds,
  'Dropout 10': dropoutMask,
  'Dropout 12': dropoutRatio,
  'Hardmax 13': coercedAxis,
  'LogSoftmax 13': coercedAxis,
  'Pad 11': padInputs,
  'ReduceSum 13': axesToInput,
  'Resize 11': resizePixels,
  'Resize 13': resizeInputs,
  'RoiAlign 16': roiAlignPixels,
  'Scatter 11': scatterElements,
  'Slice 10': sliceRanges,
  'Softmax 13': coercedAxis,
  'Split 13': splitToInput,
  'Squeeze 13': axesToInput,
  'TopK 10': topK,
  'Unsqueeze 13': axesToInput,
  'Upsample 9': upsampleScales,
  'Upsample 10': upsampleToResize,
};

/** Changes that no adapter can handle, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  'Scan 9': 'a Scan over a batch of sequences, which opset 9 removed',
};

/** What a change requires of a node. */
export type Change =
  | { readonly kind: 'additive' }
  | { readonly kind: 'adapter'; readonly adapt: Adapter }
  | { readonly kind: 'refused'; readonly why: string };

const additive: ReadonlySet<string> = new Set(
  ADDITIVE.split(';').flatMap((entry) => {
    const [op = '', ...versions] = entry.trim().split(/\s+/);
    return versions.map((version) => `${op} ${version}`);
  }),
);

/** What the operator's change at `version` requires; `undefined` if it did not change there, or is unknown. */
export function changeAt(opType: string, version: number): Change | undefined {
  if (!changes(opType).includes(version)) return undefined;
  const key = `${opType} ${version}`;
  const adapt = Object.hasOwn(ADAPTERS, key) ? ADAPTERS[key] : undefined;
  if (adapt) return { kind: 'adapter', adapt };
  if (additive.has(key)) return { kind: 'additive' };
  const why = Object.hasOwn(REFUSED, key) ? REFUSED[key] : undefined;
  return { kind: 'refused', why: why ?? `a change at opset ${version} that lossgraft does not know` };
}

/** The opsets after its first in which an operator's schema changed. */
export function changes(opType: string): readonly number[] {
  return (Object.hasOwn(SINCE, opType) ? (SINCE[opType] ?? []) : []).slice(1);
}

/** Whether ai.onnx has the operator at that opset. */
export function exists(opType: string, opset: number): boolean {
  const first = Object.hasOwn(SINCE, opType) ? SINCE[opType]?.[0] : undefined;
  return first !== undefined && first <= opset;
}

/** Whether the operator has the same meaning at both opsets, by its schema. */
export function isSameSchema(opType: string, a: number, b: number): boolean {
  const [low, high] = a < b ? [a, b] : [b, a];
  return exists(opType, low) && !changes(opType).some((version) => low < version && version <= high);
}

/** Every change in the tables, as `Operator version`. */
export const CLASSED: readonly string[] = [...additive, ...Object.keys(ADAPTERS), ...Object.keys(REFUSED)];
