import { piecesOnCpu, statusAt } from '../../runtime/device/kernelTable.ts';
import { WEBGPU_KERNELS, type WebgpuKernelRow } from '../../runtime/webgpu/kernels.ts';
import { FORM_NEEDS } from '../../runtime/webgpu/needs.ts';
import type { DataType } from '../../tensor.ts';
import { webgpuForms } from './forms.ts';

/**
 * What becomes of an operator on WebGPU:
 * - `webgpu`: the provider has a kernel; `inlined`: it has none, but takes every piece of the operator's ONNX function body;
 * - `form`: lossgraft writes it in other operators, where the model gives what the form needs;
 * - `mixed`, `cpu`: some pieces or all of it would run on the CPU, which lossgraft refuses of floating-point numbers;
 * - `throws`, `wrong`: the kernel throws, or computes other numbers than the CPU;
 * - `not-in-onnx`: ONNX does not allow the type; `unmeasured`: not in the table, so nothing is claimed.
 */
export type WebgpuStatus =
  | 'webgpu'
  | 'inlined'
  | 'form'
  | 'mixed'
  | 'cpu'
  | 'throws'
  | 'wrong'
  | 'not-in-onnx'
  | 'unmeasured';

export interface WebgpuCoverage {
  readonly status: WebgpuStatus;
  /** What the status leaves open; empty if nothing. */
  readonly note: string;
}

const COLUMNS: Readonly<Partial<Record<DataType, 1 | 2 | 3>>> = { float32: 1, int32: 2, int64: 3 };

/** Their forms are for what single attributes or numbers of dimensions make of them. */
const OF_SOME: ReadonlySet<string> = new Set([
  'BatchNormalization',
  'Conv',
  'ConvTranspose',
  'Pow',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceSumSquare',
]);

const TABLE: ReadonlyMap<string, WebgpuKernelRow> = new Map(WEBGPU_KERNELS.map((row) => [row[0], row]));

/** The operators of the table, with their variants. */
export function measuredOnWebgpu(): readonly string[] {
  return [...TABLE.keys()];
}

/**
 * What becomes of a standard operator on WebGPU at an opset; see {@link WEBGPU_KERNELS} for the measurement.
 *
 * @param variant as in the table: `training_mode=1` of BatchNormalization, `int64 to float` of Cast, ….
 */
export function webgpuCoverage(
  operator: string,
  opset: number,
  dtype: DataType = 'float32',
  variant?: string,
): WebgpuCoverage {
  if (operator === 'Constant') return { status: 'webgpu', note: 'ONNX Runtime makes it an initializer' };
  if (variant !== undefined) return measured(`${operator}[${variant}]`, opset, dtype);
  const { status, note } = measured(operator, opset, dtype);
  const lacks = status === 'cpu' || status === 'mixed' || status === 'throws' || status === 'wrong';
  if (dtype !== 'float32' || !lacks || !Object.hasOwn(webgpuForms, operator) || OF_SOME.has(operator))
    return { status, note };
  const needs = FORM_NEEDS[operator];
  return { status: 'form', note: needs === undefined ? '' : `needs ${needs}` };
}

function measured(operator: string, opset: number, dtype: DataType): WebgpuCoverage {
  const column = COLUMNS[dtype];
  const cell = column && TABLE.get(operator)?.[column];
  if (!cell) return { status: 'unmeasured', note: `${operator} of ${dtype} was not measured` };
  const status = cell === 'not-in-onnx' ? cell : statusAt(cell, opset);
  const pieces = status && piecesOnCpu(status);
  if (pieces !== undefined) return { status: 'mixed', note: pieces };
  return isStatus(status) ? { status, note: '' } : { status: 'unmeasured', note: `measured at opset ${cell}` };
}

const PLAIN: ReadonlySet<string> = new Set(['webgpu', 'inlined', 'cpu', 'throws', 'wrong', 'not-in-onnx']);

function isStatus(status: string | undefined): status is WebgpuStatus {
  return status !== undefined && PLAIN.has(status);
}
