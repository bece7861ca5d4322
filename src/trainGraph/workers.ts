import { LossgraftError, option } from '../errors.ts';
import { ROW_OFFSET, STEP_COUNTER } from '../transform/dropout.ts';
import type { State } from '../transform/optimize.ts';

/**
 * How what workers computed of their parts of a batch becomes what one process computes of the whole batch. `weighted-mean`: Σ n_w/N · x_w,
 * where worker w has n_w of the N samples; `sum`: Σ x_w; `same`: each worker has it already. A worker without samples adds nothing.
 */
export type Combine = 'weighted-mean' | 'sum' | 'same';

/** What a program that spreads the steps of the split form over workers must know. */
export interface Workers {
  /** Each output of `gradients.onnx`. */
  readonly outputs: readonly { readonly name: string; readonly combine: Combine }[];
  /** The graph that clips the norm of the gradients: of the combined ones. `null` if none is clipped. */
  readonly clips: 'apply.onnx' | null;
  /** The graph that averages micro-batches, and holds them in slots. `null` if each batch is a step. */
  readonly accumulates: 'apply.onnx' | null;
  /** The input of `gradients.onnx` for the place of a worker's first sample in the whole batch; `null` if no masks are drawn. */
  readonly rowOffset: string | null;
  /** `per-worker`: in training mode each worker normalises its own samples, so that the numbers depend on how many workers there are. */
  readonly batchNorm: 'same' | 'per-worker';
}

export interface WorkersRequest {
  /** Whether BatchNorm in training mode may use the statistics of each worker's part of the batch. Default false. */
  readonly batchNormPerWorker?: boolean;
  readonly reduction?: 'mean' | 'sum' | 'none';
  readonly clipNorm?: number;
  readonly accumulate?: number;
}

/**
 * @param names of the loss and the gradients in `gradients.onnx`.
 * @throws LossgraftError `batch-norm` for statistics of a batch that only one process has.
 */
export function workersOf(
  { batchNormPerWorker = false, reduction = 'mean', clipNorm, accumulate = 1 }: WorkersRequest,
  names: readonly string[],
  statistics: readonly State[],
): Workers {
  const moving = statistics.map(({ current }) => current.name);
  const batchNorms = moving.filter((name) => name !== STEP_COUNTER);
  const [first] = batchNorms;
  if (first !== undefined && !batchNormPerWorker) throw refusal(first);
  const combined = reduction === 'sum' ? 'sum' : 'weighted-mean';
  return {
    outputs: [
      ...names.map((name) => ({ name, combine: combined }) as const),
      ...moving.map((name) => ({ name: `${name}.next`, combine: combineOf(name) })),
    ],
    clips: clipNorm === undefined ? null : 'apply.onnx',
    accumulates: accumulate === 1 ? null : 'apply.onnx',
    rowOffset: moving.includes(STEP_COUNTER) ? ROW_OFFSET : null,
    batchNorm: first === undefined ? 'same' : 'per-worker',
  };
}

function combineOf(statistic: string): Combine {
  return statistic === STEP_COUNTER ? 'same' : 'weighted-mean';
}

/** Normalising over all workers would need two collectives in each BatchNorm, forward and backward. */
function refusal(statistic: string): LossgraftError {
  return new LossgraftError({
    code: 'batch-norm',
    where: `option batchNorm, running statistic "${statistic}"`,
    expected: 'BatchNorm with its running statistics, since each worker sees only its part of a batch',
    found: 'BatchNorm in training mode, in the form for several workers',
    hint:
      `Use ${option('batchNorm', 'frozen')}, or add ${option('batchNormPerWorker')}: each worker then normalises its own samples, ` +
      'as DistributedDataParallel does without SyncBatchNorm, and the numbers depend on how many workers there are',
  });
}
