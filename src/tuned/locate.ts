import { LossgraftError, option } from '../errors.ts';
import { nearestNames } from '../ir/nearestNames.ts';
import type { Model } from '../model.ts';
import { inFloat32, narrowed } from '../numbers.ts';
import type { NodeProto, TensorProto } from '../onnx/types.ts';
import { dequantise, type Quantisation, quantise } from '../quantisation.ts';
import { type DataType, elementCount, isOtherFloat, isText, type Tensor } from '../tensor.ts';
import { biasScales, quantisations } from '../transform/qdq.ts';

/** A parameter that training separated from another, by name. */
export interface Tie {
  /** The shared initializer in the file. */
  readonly parameter: string;
  /** The output of the Identity that gives it its own name. */
  readonly name: string;
}

/** A tie in the file. */
export interface TiePlace extends Tie {
  readonly node: NodeProto;
  readonly tensor: TensorProto;
}

/** Where a model stores what training changes. */
export interface Places {
  /** Initializers and the tensors of Constant nodes, by name. */
  readonly tensors: ReadonlyMap<string, TensorProto>;
  readonly ties: readonly TiePlace[];
}

/**
 * Finds the tensors in the user's file that training will change.
 *
 * @param names of parameters and running statistics, including untied ones.
 * @throws LossgraftError `not-in-file` naming a state that the file lacks.
 */
export function locate(model: Model, names: Iterable<string>, untied: readonly Tie[]): Places {
  const tensors = weightsOf(model);
  const asked = new Set(names);
  const touched = untied.filter(({ name, parameter }) => asked.has(name) || asked.has(parameter));
  const ties = touched.map((tie) => tiePlace(model, tensors, tie));
  const aliases = new Set(ties.map(({ name }) => name));
  for (const name of asked) if (!tensors.has(name) && !aliases.has(name)) throw notInFile(model, name, tensors.keys());
  return { tensors, ties };
}

/** Initializers and the tensors of Constant nodes, by name. */
export function weightsOf(model: Model): Map<string, TensorProto> {
  const { initializers, nodes } = model.proto.graph;
  const tensors = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of nodes) {
    const value = node.opType === 'Constant' && node.domain === '' ? node.attributes.get('value') : undefined;
    const [name] = node.outputs;
    if (value?.type === 'tensor' && name !== undefined) tensors.set(name, value.value);
  }
  return tensors;
}

function tiePlace(model: Model, tensors: ReadonlyMap<string, TensorProto>, tie: Tie): TiePlace {
  const tensor = tensors.get(tie.parameter);
  const node = model.proto.graph.nodes.find(
    ({ opType, inputs, outputs }) => opType === 'Identity' && inputs[0] === tie.parameter && outputs[0] === tie.name,
  );
  if (tensor && node) return { ...tie, tensor, node };
  throw notInFile(model, tie.name, tensors.keys());
}

function notInFile(model: Model, name: string, known: Iterable<string>): LossgraftError {
  const near = nearestNames(name, known).map((other) => `"${other}"`);
  return new LossgraftError({
    code: 'not-in-file',
    where: `${model.name}, tensor "${name}"`,
    expected: 'an initializer or a Constant with that name in the main graph, to receive its trained elements',
    found: near.length > 0 ? `none; near names are ${near.join(', ')}` : 'none',
    hint: `Leave it out of ${option('trainable')}; for one that came out of a tie inside a function, add ${option('keepTies')}`,
  });
}

/** A model whose tensors can be read. */
export interface Readable extends Model {
  readonly read: (tensor: TensorProto) => Tensor;
}

/**
 * A model that is read with its trained scales, and the state with what follows from them: the steps of biases. Without trained scales
 * nothing changes.
 */
export function withScales(
  model: Readable,
  state: ReadonlyMap<string, Tensor>,
): { readonly model: Readable; readonly state: ReadonlyMap<string, Tensor> } {
  const places = weightsOf(model);
  const all = new Map([...state, ...biasScales(model.proto, model.read, state)]);
  const trained = new Map<TensorProto, Tensor>();
  for (const [name, tensor] of all) {
    const place = places.get(name);
    if (place?.dtype === 'float32') trained.set(place, tensor);
  }
  return { model: { ...model, read: (tensor) => trained.get(tensor) ?? model.read(tensor) }, state: all };
}

/** The elements of a trained tensor as bytes. @throws LossgraftError `state-mismatch` if type or shape differ from the file's. */
export function trainedBytes(model: Readable, name: string, trained: Tensor, place: TensorProto): Uint8Array {
  const { data } = trainedTensor(model, name, trained, place);
  if (isText(data)) throw mismatch(model, name, trained, place);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * A trained tensor, float32, in the file's own type: half precision is rounded, ties to even.
 *
 * @throws LossgraftError `state-mismatch` if type or shape differ from the file's, or a number is too large for it.
 */
export function trainedTensor(model: Readable, name: string, trained: Tensor, place: TensorProto): Tensor {
  const { dtype, dims } = place;
  const { data } = trained;
  const fits = dims.length === trained.dims.length && dims.every((dim, i) => dim === trained.dims[i]);
  if (!fits || !(data instanceof Float32Array) || data.length !== elementCount(dims) || dtype === undefined)
    throw mismatch(model, name, trained, place);
  const how = howQuantised(model, place);
  if (how) {
    const integers = quantise(trained, dtype, how);
    if (integers === undefined) throw mismatch(model, name, trained, place);
    return integers;
  }
  const own = isOtherFloat(dtype) ? narrowed(trained, dtype) : trained;
  if (own === undefined) throw tooLarge(model, name, dtype);
  if (own.dtype !== dtype) throw mismatch(model, name, trained, place);
  return own;
}

function howQuantised({ proto, read }: Readable, place: TensorProto): Quantisation | undefined {
  return quantisations(proto, read).get(place);
}

/** What the file holds of a trained tensor, as the float32 numbers that it stands for; `undefined` where that cannot be. */
export function asStored(model: Readable, trained: Tensor, place: TensorProto): Tensor | undefined {
  const { dtype } = place;
  const how = howQuantised(model, place);
  if (how && dtype) {
    const integers = quantise(trained, dtype, how);
    return integers && dequantise(integers, how);
  }
  const own = isOtherFloat(dtype) ? narrowed(trained, dtype) : trained;
  return own && inFloat32(own);
}

function mismatch(model: Model, name: string, trained: Tensor, { dtype, dims }: TensorProto): LossgraftError {
  return new LossgraftError({
    code: 'state-mismatch',
    where: `${model.name}, tensor "${name}"`,
    expected: `${dtype ?? 'an unknown type'}[${dims.join(', ')}], as in the file; training changes floats up to float32`,
    found: `${trained.dtype}[${trained.dims.join(', ')}] with ${trained.data.length} elements`,
    hint: 'Pass the state of a training graph made from this same model',
  });
}

function tooLarge(model: Model, name: string, dtype: DataType): LossgraftError {
  return new LossgraftError({
    code: 'state-mismatch',
    where: `${model.name}, tensor "${name}"`,
    expected: `numbers within the range of ${dtype}`,
    found: 'a trained number beyond it',
    hint: 'Train with a lower learning rate, or convert the model to float32 first',
  });
}
