import { expansions, gradients } from '../../graphs/index.ts';
import type { Loss, OptionValues } from '../../src/contract.ts';
import { createEmitter, type Emitter, type Value } from '../../src/emit/index.ts';
import { fromBytes } from '../../src/files/bytes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { expand } from '../../src/lower/expand.ts';
import { toNumbers } from '../../src/numbers.ts';
import { editedBytes, scan } from '../../src/onnx/index.ts';
import { resolveOptions } from '../../src/options/declared.ts';
import { differentiate } from '../../src/transform/differentiate.ts';
import { prune } from '../../src/transform/prune.ts';

/** A model that is a loss and nothing else: logits [N, C], labels [N], norm [N] → loss [], loss_per_sample [N], extra outputs. */
export interface LossModel {
  readonly graph: Graph;
  readonly bytes: Uint8Array;
}

export interface LossModelSpec {
  readonly loss: Loss;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly weights?: readonly number[];
  readonly counts?: readonly number[];
  readonly samples?: number;
  readonly opset?: number;
  /** Default: symbolic. */
  readonly classes?: number;
  /** Labels are float32 [N, C]. */
  readonly areSoft?: boolean;
  readonly positiveWeights?: readonly number[];
  /** Further outputs: the loss's gradients `<input>.grad`, or `<input>.grad.head`, the first rows, for which all is computed and little fetched. */
  readonly gradient?: 'whole' | 'head';
}

/** A ModelProto with ir_version 8, a graph named "g" and the ai.onnx opset 17. */
const EMPTY_MODEL = Uint8Array.of(0x08, 0x08, 0x3a, 0x03, 0x12, 0x01, 0x67, 0x42, 0x02, 0x10, 0x11);

export function lossModel({
  loss,
  options = {},
  weights,
  counts,
  samples,
  opset = 17,
  classes,
  areSoft = false,
  positiveWeights,
  gradient,
}: LossModelSpec): LossModel {
  const host = scan(fromBytes(EMPTY_MODEL, 'empty model'));
  const graph = buildGraph(host);
  const input = (name: string, dtype: 'float32' | 'int64', shape: (string | number)[]): Value => {
    const value = graph.define(name, dtype, shape);
    graph.inputs.push(value);
    return value;
  };
  const logits = input('logits', 'float32', ['N', classes ?? 'C']);
  const isMatrix = areSoft || loss.task === 'multi-label';
  const labels = isMatrix ? input('labels', 'float32', ['N', classes ?? 'C']) : input('labels', 'int64', ['N']);
  const featureNorm = loss.needsFeatures ? input('norm', 'float32', ['N']) : undefined;
  const op = createEmitter(graph, opset);
  const perClass = (values: readonly number[] | undefined) =>
    values && op.constant({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
  const resolved: OptionValues<Loss['options']> = resolveOptions(loss.options, options, `loss ${loss.name}`);
  const own = { weights: perClass(weights), positiveWeights: perClass(positiveWeights), counts, samples };
  const built = loss.build(op, { logits, labels, areSoft, featureNorm, ...own }, resolved);
  const output: Output = (name, value, shape) => {
    const named = graph.define(name, 'float32', shape);
    graph.addNode({ opType: 'Identity', inputs: [value], outputs: [named] });
    graph.outputs.push(named);
  };
  const mean = op.reduceMean(built.perSample);
  output('loss', mean, []);
  output('loss_per_sample', built.perSample, ['N']);
  for (const [name, value] of Object.entries(built.extra ?? {})) output(name, value, ['N']);
  if (gradient) addGradients(op, mean, featureNorm ? [logits, featureNorm] : [logits], { output, gradient });
  const irVersion = opset > 18 ? 10 : 8;
  const edit = { ...graphEdit(host, graph), irVersion, opsetImports: new Map([['', opset]]) };
  return { graph, bytes: editedBytes(host, edit) };
}

type Output = (name: string, value: Value, shape: (string | number)[]) => void;

function addGradients(
  op: Emitter,
  loss: Value,
  wrt: readonly Value[],
  { output, gradient: what }: { readonly output: Output; readonly gradient: 'whole' | 'head' },
): void {
  const constant = (value: Value): number[] | undefined => {
    const source = op.graph.initializers.get(value);
    return source && 'data' in source ? toNumbers(source) : undefined;
  };
  const found = differentiate(op, loss, wrt, { rules: gradients, constant });
  for (const [{ name, shape }, gradient] of found) {
    const row = (shape ?? []).slice(1).map((dim) => dim ?? 'C');
    if (what === 'whole') output(`${name}.grad`, gradient, ['N', ...row]);
    else output(`${name}.grad.head`, op.gather(gradient, op.vector([0])), [1, ...row]);
  }
  expand(op, expansions);
  prune(op.graph);
}
