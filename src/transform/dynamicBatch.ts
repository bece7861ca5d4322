import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Graph, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { worstDifference } from '../numbers.ts';
import { editedBytes, relabelDim } from '../onnx/index.ts';
import type { ValueInfoProto } from '../onnx/types.ts';
import { inferTypes } from '../runtime/oracle/oracle.ts';
import { openSession, type Session } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { mapTensors, rowOf } from '../tensorRows.ts';
import { dependents } from './differentiate.ts';
import { sampleFeeds } from './sampleFeeds.ts';

const SYMBOL = 'batch';
/** Rows of one run and of single runs may differ only by the order of summation. */
const TOLERANCE = { float16: 2e-2, bfloat16: 5e-2, other: 1e-4 };

/**
 * Relabels a fixed first dimension as free, and proves that a batch of three gives the same rows as three single runs.
 *
 * @returns a note for the report.
 * @throws LossgraftError `batch-not-free` naming the node or output where the rows disagree.
 */
export async function makeBatchDynamic(model: Model, graph: Graph): Promise<string> {
  const size = batchToFree(graph);
  if (size === undefined)
    return `The batch size is already free in this model; ${option('dynamicBatch')} changed nothing`;
  relabel(model, graph, size);
  await inferAll(model, graph);
  await prove(model, graph);
  return `The batch size, fixed at ${size}, is now free ("${SYMBOL}"): a run of 3 rows gave the same rows as 3 single runs`;
}

/** The first dimension that all inputs share, if it is a number. */
function batchToFree(graph: Graph): number | undefined {
  const sizes = new Set(graph.inputs.map((input) => input.shape?.[0]));
  const [size] = sizes;
  if (sizes.size === 1 && typeof size === 'number') return size;
  if (![...sizes].some((dim) => typeof dim === 'number')) return undefined;
  throw new LossgraftError({
    code: 'batch-not-free',
    where: 'option dynamicBatch',
    expected: 'inputs with the same first dimension',
    found: graph.inputs.map((input) => `"${input.name}" with ${input.shape?.[0] ?? 'none'}`).join(', '),
    hint: 'Export the model with a dynamic batch',
  });
}

function relabel(model: Model, graph: Graph, size: number): void {
  for (const value of [...graph.inputs, ...graph.outputs]) {
    const info = graph.infos.get(value);
    if (!info || !hasBatch(info, size)) continue;
    graph.patches.push(relabelDim(model.proto.source, info, 0, SYMBOL));
    value.shape = [SYMBOL, ...(value.shape ?? []).slice(1)];
  }
}

function hasBatch(info: ValueInfoProto, size: number): boolean {
  return info.type?.shape?.[0] === size && info.dimSpans.length > 0;
}

/** Types with the free batch. Value infos with the old size are relabelled if ONNX Runtime agrees. */
async function inferAll(model: Model, graph: Graph): Promise<void> {
  // Inferences for the fixed batch are void.
  for (const value of graph.values.values()) if (value.producer) value.shape = undefined;
  await inferTypes(model.proto, graph);
  for (const info of model.proto.graph.valueInfos) {
    const isFixed = typeof info.type?.shape?.[0] === 'number' && info.dimSpans.length > 0;
    const value = graph.values.get(info.name);
    if (isFixed && value?.producer && typeof value.shape?.[0] !== 'number') {
      graph.patches.push(relabelDim(model.proto.source, info, 0, SYMBOL));
    }
  }
}

async function prove(model: Model, graph: Graph): Promise<void> {
  const bytes = editedBytes(model.proto, graphEdit(model.proto, graph));
  const session = await openSession(bytes, { name: model.name, externalDataFolder: model.dir });
  try {
    const feeds = sampleFeeds(session.inputs, 3);
    const together = await runOrRefuse(session, feeds, graph);
    for (let row = 0; row < 3; row++) {
      const single = await session.run(mapTensors(feeds, (tensor) => rowOf(tensor, row)));
      for (const [name, tensor] of Object.entries(together)) compareRow(graph, name, tensor, single[name], row);
    }
  } finally {
    await session.close();
  }
}

async function runOrRefuse(
  session: Session,
  feeds: Record<string, Tensor>,
  graph: Graph,
): Promise<Record<string, Tensor>> {
  try {
    return await session.run(feeds);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw notFree(graph, `an error in a run of 3: ${message}`, cause);
  }
}

function compareRow(graph: Graph, name: string, batch: Tensor, single: Tensor | undefined, row: number): void {
  if (batch.dims[0] !== 3) {
    throw notFree(graph, `output "${name}" of the shape [${batch.dims.join(', ')}] for a batch of 3`);
  }
  const tolerance = batch.dtype === 'float16' || batch.dtype === 'bfloat16' ? TOLERANCE[batch.dtype] : TOLERANCE.other;
  const worst = single === undefined ? Number.POSITIVE_INFINITY : worstDifference(single, rowOf(batch, row));
  if (worst <= tolerance) return;
  throw notFree(
    graph,
    `row ${row} of output "${name}" differing by ${worst.toExponential(1)} (relative) from the single run`,
  );
}

function notFree(graph: Graph, found: string, cause?: unknown): LossgraftError {
  const culprit = firstFixedNode(graph);
  return new LossgraftError({
    code: 'batch-not-free',
    where: culprit ? describeNode(culprit) : 'option dynamicBatch',
    expected: 'rows that do not depend on other rows of the batch',
    found: culprit ? `${found}; this node is the first to mix the batch dimension` : found,
    hint: `The model was exported for a fixed batch: export it with a dynamic one, or augment it without ${option('dynamicBatch')}`,
    cause,
  });
}

/** The first node that computes a fixed batch, of rank 2 or more, from the inputs: its own inputs are free, or have no rows. */
function firstFixedNode(graph: Graph): Value['producer'] {
  const fed = dependents(graph.nodes, graph.inputs);
  const isFixed = (value: Value | undefined): boolean => {
    const shape = value && fed.has(value) ? value.shape : undefined;
    return shape !== undefined && shape.length > 1 && typeof shape[0] === 'number';
  };
  return graph.nodes.find(({ inputs, outputs }) => isFixed(outputs[0]) && !inputs.some(isFixed));
}
