import type { Graph } from '../ir/graph.ts';
import { cudaCoverage } from '../runtime/cuda/coverage.ts';

/**
 * The note on a model whose opset is above `last`: it is kept, but ONNX Runtime's CUDA provider leaves operators to the CPU that it
 * supports at `last`.
 */
export function newOpsetNotes({ nodes }: Graph, opset: number, last: number): string[] {
  if (opset <= last) return [];
  const standard = new Set(nodes.filter(({ domain }) => domain === '').map(({ opType }) => opType));
  const isTaken = (op: string, at: number) => ['cuda', 'inlined'].includes(cudaCoverage(op, at).status);
  const left = [...standard].filter((op) => isTaken(op, last) && !isTaken(op, opset)).sort();
  const here = left.length === 0 ? 'none of them in this model' : `here ${left.join(', ')}`;
  return [
    `The model keeps its opset ${opset}. From ${last + 1} on, ONNX Runtime's CUDA provider leaves some operators to the CPU (${here}): for ` +
      `CUDA, export the model at opset ${last} or lower`,
  ];
}
