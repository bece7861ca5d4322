import type { DataType } from '../../tensor.ts';
import { piecesOnCpu, statusAt } from '../device/kernelTable.ts';
import { CUDA_KERNELS, type KernelRow } from './kernels.ts';

/**
 * What the CUDA provider does with an operator:
 * - `cuda` has a kernel; `inlined` has none, but takes every piece of the operator's ONNX function body;
 * - `mixed` inlines it with pieces on the CPU; `cpu` leaves it to the CPU (a strict session refuses both);
 * - `throws`: neither provider has a kernel; `constructor-error`: the CUDA kernel refuses when the session is created;
 * - `not-in-onnx`: ONNX does not allow the type; `unmeasured`: not in the table, so nothing is claimed.
 */
export type CudaStatus =
  | 'cuda'
  | 'inlined'
  | 'mixed'
  | 'cpu'
  | 'throws'
  | 'constructor-error'
  | 'not-in-onnx'
  | 'unmeasured';

export interface CudaCoverage {
  readonly status: CudaStatus;
  /** What the status leaves open; empty if nothing. */
  readonly note: string;
}

const COLUMNS: Readonly<Partial<Record<DataType, 1 | 2 | 3 | 4>>> = { float32: 1, float16: 2, bfloat16: 3, float64: 4 };

/** Their kernels could not be created in the measurement, because cuDNN was absent. */
const NEEDS_CUDNN: ReadonlySet<string> = new Set(['LRN', 'LSTM', 'GRU', 'RNN']);

const TABLE: ReadonlyMap<string, KernelRow> = new Map(CUDA_KERNELS.map((row) => [row[0], row]));

/**
 * Whether the CUDA provider supports a standard operator at an opset; see {@link CUDA_KERNELS} for the measurement.
 *
 * @param variant as in the table: `training_mode=1` of BatchNormalization, `reduction=add` of ScatterElements, ….
 */
export function cudaCoverage(
  operator: string,
  opset: number,
  dtype: DataType = 'float32',
  variant?: string,
): CudaCoverage {
  if (operator === 'Constant') return { status: 'cuda', note: 'ONNX Runtime makes it an initializer' };
  const key = variant === undefined ? operator : `${operator}[${variant}]`;
  const row = TABLE.get(key);
  const column = COLUMNS[dtype];
  if (row === undefined) return { status: 'unmeasured', note: `${key} is not in the table${variants(operator)}` };
  if (column === undefined) return { status: 'unmeasured', note: `${dtype} is not in the table` };
  const cell = row[column];
  if (cell === '') return { status: 'unmeasured', note: `${dtype} was not measured` };
  if (cell === 'not-in-onnx') return { status: 'not-in-onnx', note: `ONNX does not allow ${dtype}` };
  const status = statusAt(cell, opset);
  if (status === undefined)
    return { status: 'unmeasured', note: `measured at opset ${cell.replaceAll(/[^\d,;-]+/g, '')}` };
  return describe(operator, status);
}

/** The operators of the table, with their variants. */
export function measuredOperators(): readonly string[] {
  return [...TABLE.keys()];
}

function describe(operator: string, status: string): CudaCoverage {
  const pieces = piecesOnCpu(status);
  if (pieces !== undefined) return { status: 'mixed', note: pieces };
  if (status === 'ctor') {
    const note = NEEDS_CUDNN.has(operator) ? 'seen only without cuDNN' : 'the kernel refuses training mode';
    return { status: 'constructor-error', note };
  }
  if (status === 'cuda' || status === 'cpu' || status === 'inlined' || status === 'throws') return { status, note: '' };
  return { status: 'unmeasured', note: `unknown status ${status}` };
}

function variants(operator: string): string {
  const known = [...TABLE.keys()].filter((key) => key.startsWith(`${operator}[`));
  return known.length === 0 ? '' : `, only ${known.join(', ')}`;
}
