import type { Model } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { toNumbers } from '../../src/numbers.ts';
import { readTensor } from '../../src/onnx/index.ts';
import { weightsOf } from '../../src/tuned/locate.ts';

/** The options of PyTorch's training in fixtures/half and fixtures/qdq: all 40 rows in a batch, so that their order makes no difference. */
export const WHOLE_BATCH = {
  loss: 'ce',
  classWeights: 'none',
  trainable: 'all',
  optimizer: 'sgd',
  momentum: 0.9,
  weightDecay: 0,
  learningRate: 0.05,
  epochs: 6,
  batchSize: 40,
  select: 'last',
} as const;

/** The weights in a model's file by name, as numbers. */
export function weightsIn(model: Model): ReadonlyMap<string, readonly number[]> {
  const own = opened(model);
  const read = ([name, place]: readonly [string, Parameters<typeof readTensor>[1]]) =>
    [name, toNumbers(readTensor(own.proto.source, place, { modelDir: own.dir }))] as const;
  return new Map([...weightsOf(own)].map(read));
}
