import { LossgraftError, option } from '../errors.ts';
import { int } from '../ir/attributes.ts';
import { buildGraph } from '../ir/build.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { type Model, open } from '../model.ts';
import { editedBytes } from '../onnx/index.ts';
import { DATA_TYPES } from '../tensor.ts';

/** The offsets and divisors of an input's columns. */
export interface InputScale {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * A model that takes raw columns, and passes (x − mean) / deviation to the given one. It computes in float64, like scikit-learn's
 * StandardScaler, and rounds once to the input's own type.
 *
 * @param scales by input name.
 * @throws LossgraftError `standardize` for a model that is not in float32, and where a body of a control-flow operator reads the input.
 */
export async function withScaledInputs(model: Model, scales: ReadonlyMap<string, InputScale>): Promise<Model> {
  if (model.stored) throw notFloat32(model.name);
  const graph = buildGraph(model.proto);
  for (const input of graph.inputs) {
    const scale = scales.get(input.name);
    if (scale) scaleInput(graph, input, scale);
  }
  return open(editedBytes(model.proto, graphEdit(model.proto, graph)), { name: model.name, dir: model.dir });
}

function scaleInput(graph: Graph, input: Value, { mean, deviation }: InputScale): void {
  const { dtype, shape } = input;
  const readers = [...input.uses];
  if (readers.some((node) => node.captures.includes(input)) || graph.outputs.includes(input)) throw inside(input.name);
  const [first] = graph.nodes;
  if (first === undefined) return;
  const define = (name: string, of = dtype): Value => graph.define(graph.freshName(`lossgraft/${name}`), of, shape);
  const [wide, centred, scaled, ready] = [
    define('raw', 'float64'),
    define('centred', 'float64'),
    define('scaled', 'float64'),
    define('standardised'),
  ];
  const cast = (to: number) => new Map([['to', int(to)]]);
  graph.replaceUses(input, ready);
  graph.before(first, () => {
    graph.addNode({ opType: 'Cast', inputs: [input], outputs: [wide], attributes: cast(DATA_TYPES.float64) });
    graph.addNode({ opType: 'Sub', inputs: [wide, constant(graph, 'mean', mean)], outputs: [centred] });
    graph.addNode({ opType: 'Div', inputs: [centred, constant(graph, 'deviation', deviation)], outputs: [scaled] });
    const to = DATA_TYPES[dtype === 'float64' ? 'float64' : 'float32'];
    graph.addNode({ opType: 'Cast', inputs: [scaled], outputs: [ready], attributes: cast(to) });
  });
}

function constant(graph: Graph, name: string, values: readonly number[]): Value {
  const dims = [values.length];
  const value = graph.define(graph.freshName(`lossgraft/${name}`), 'float64', dims);
  graph.initializers.set(value, { dtype: 'float64', dims, data: Float64Array.from(values) });
  return value;
}

function notFloat32(name: string): LossgraftError {
  return new LossgraftError({
    code: 'standardize',
    where: name,
    expected: 'a model in float32',
    found: 'weights of another type, which have to go back into the file',
    hint: `Omit ${option('standardize')}, and standardize the columns before`,
  });
}

function inside(name: string): LossgraftError {
  return new LossgraftError({
    code: 'standardize',
    where: `input "${name}"`,
    expected: 'an input that nodes of the model itself read',
    found: 'one that is an output too, or that the body of a control-flow operator reads',
    hint: `Leave ${option('standardize')} out, and standardize the columns before`,
  });
}
