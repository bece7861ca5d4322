import { labelsOf } from '../classes/operatorLabels.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { argmaxRows } from '../metrics/scored.ts';
import type { Tensor } from '../tensor.ts';
import type { LogitRows } from './rows.ts';

/** The output with a classical model's own labels, and their names. */
export interface OwnLabels {
  readonly output: string;
  readonly names: readonly string[];
}

/** The label output of the operator that gives the scores, if it is an output of the model. */
export function ownLabels(graph: Graph, scores: Value): OwnLabels | undefined {
  let node = scores.producer;
  while (node && (node.opType === 'Cast' || node.opType === 'Identity')) node = node.inputs[0]?.producer;
  const labels = node && labelsOf(node);
  const [output] = node?.outputs ?? [];
  if (!labels || !output || !graph.outputs.includes(output)) return undefined;
  return { output: output.name, names: Array.from<string | number | bigint, string>(labels.data, String) };
}

/**
 * Swaps the scores of two classes if the model's own labels contradict them: ONNX Runtime returns those of a support vector machine
 * without probabilities the other way round. The first batch decides.
 */
export function turner(own: OwnLabels | undefined): {
  turn(rows: LogitRows, labels: Tensor | undefined, count: number): LogitRows;
  readonly isTurned: () => boolean;
} {
  let isTurned: boolean | undefined;
  const turn = (rows: LogitRows, labels: Tensor | undefined, count: number): LogitRows => {
    if (own === undefined || rows.classes !== 2 || rows.areLogs) return rows;
    isTurned ??= 2 * agreeing(rows, labels, count, own.names) < count;
    if (!isTurned) return rows;
    const { logits } = rows;
    return { ...rows, logits: Float64Array.from(logits, (_, i) => logits[i % 2 === 0 ? i + 1 : i - 1] ?? Number.NaN) };
  };
  return { turn, isTurned: () => isTurned ?? false };
}

function agreeing({ logits, classes }: LogitRows, labels: Tensor | undefined, count: number, names: readonly string[]) {
  const given = Array.from<string | number | bigint, string>(labels?.data ?? [], String);
  return argmaxRows(logits, count, classes).reduce((sum, k, i) => sum + Number(names[k] === given[i]), 0);
}
