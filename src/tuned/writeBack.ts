import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { replaceFiles } from '../files/whole.ts';
import { type Model, type OpenedModel, opened } from '../model.ts';
import { inFloat32 } from '../numbers.ts';
import {
  type BytePatch,
  elementPatches,
  patchedSource,
  readTensor,
  relocateExternal,
  withTensor,
  writeModel,
} from '../onnx/index.ts';
import type { InitializerInit, ModelEdit, ModelProto, TensorProto } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';
import { refuseExisting } from '../write.ts';
import { copyPatched, type ExternalPlan, planExternal } from './externalBack.ts';
import { locate, type Places, type Readable, type Tie, trainedBytes, trainedTensor, withScales } from './locate.ts';

export interface TunedOptions {
  /** Replaces existing files. */
  readonly force?: boolean;
  /** Ties that the training graph separated; see `TrainGraph.untied`. */
  readonly untied?: readonly Tie[];
  /** Entries of metadata_props to set; the others stay as they are. */
  readonly metadata?: ReadonlyMap<string, string>;
  /** Further changes of the file, such as nodes behind the scores. */
  readonly edit?: ModelEdit;
}

/**
 * Writes the user's file with trained weights: every byte stays, except the elements of the trained tensors, which stay in place (raw,
 * typed, in Constant nodes), and metadata entries to set. A tie whose tensors now differ becomes two initializers. External data are
 * never changed in place: files with trained tensors are copied beside the output and changed there.
 *
 * @param states the trained parameters and running statistics by name.
 * @returns the files that were written.
 * @throws LossgraftError `not-in-file`, `state-mismatch`, `external-shared`, and errors of writing; then nothing is written.
 */
export function writeTuned(
  given: OpenedModel,
  states: ReadonlyMap<string, Tensor>,
  path: string,
  options: TunedOptions = {},
): readonly string[] {
  const whole = opened(given);
  const { model, state } = withScales(readable(whole.stored ?? whole), states);
  refuseExisting(path, options.force ?? false);
  refuseInput(model, path);
  const places = locate(model, state.keys(), options.untied ?? []);
  const trained = [...state].flatMap(([name, tensor]) => {
    const place = places.tensors.get(name);
    return place === undefined ? [] : [{ place, bytes: trainedBytes(model, name, tensor, place) }];
  });
  const external = planExternal(model, trained, { path, force: options.force ?? false });
  const patched = trained.filter(({ place }) => !isPacked(place));
  const patches = patched.flatMap(({ place, bytes }) => elementPatches(model.proto.source, place, bytes));
  const { metadata, edit: further = {} } = options;
  const own = joined(split(model, state, places), packedIn(model, state, places));
  const parts = { ...joined(own, further), ...(metadata === undefined ? {} : { metadata }) };
  const edit = withLocations(model.proto, parts, external.locations);
  return writeTogether(model.proto, { edit, patches, external }, path);
}

/** A model whose tensors are read from its file, and its data files. */
export function readable(model: Model): Readable {
  const read = (tensor: TensorProto): Tensor => readTensor(model.proto.source, tensor, { modelDir: model.dir });
  return { ...model, proto: model.proto, read };
}

/** Unless raw, elements of such a type have variable lengths in a file, so they cannot be changed in place. */
function isPacked({ payload, dtype }: TensorProto): boolean {
  return payload.kind === 'typed' && dtype !== 'float32';
}

/** What is written anew: initializers, and Constant nodes around the same fields. */
function packedIn(model: Readable, state: ReadonlyMap<string, Tensor>, { tensors }: Places): ModelEdit {
  const { initializers, nodes } = model.proto.graph;
  const packed = [...state].flatMap(([name, tensor]) => {
    const place = tensors.get(name);
    return place && isPacked(place) ? [{ name, place, tensor: trainedTensor(model, name, tensor, place) }] : [];
  });
  const own = new Set(initializers);
  const moved = packed.filter(({ place }) => own.has(place));
  return {
    removals: moved.map(({ place }) => place.span),
    initializers: moved.map(({ name, tensor }) => ({ name, tensor })),
    replacements: packed.flatMap(({ place, tensor }) => {
      const node = nodes.find(({ attributes }) => attributes.get('value')?.value === place);
      return node ? [withTensor(model.proto.source, node, place, tensor)] : [];
    }),
  };
}

/** Ties whose tensors are no longer equal: the Identity is removed, and its output becomes an initializer. */
function split(model: Readable, state: ReadonlyMap<string, Tensor>, { ties }: Places): ModelEdit {
  const original = (tensor: TensorProto): Tensor =>
    inFloat32(readTensor(model.proto.source, tensor, { modelDir: model.dir }));
  const apart = ties.flatMap(({ name, parameter, node, tensor }) => {
    const own = state.get(name) ?? original(tensor);
    const other = state.get(parameter) ?? original(tensor);
    const bytes = trainedBytes(model, name, own, tensor);
    return Buffer.compare(bytes, trainedBytes(model, parameter, other, tensor)) === 0
      ? []
      : [{ name, node, own: trainedTensor(model, name, own, tensor) }];
  });
  const initializers: InitializerInit[] = apart.map(({ name, own }) => ({ name, tensor: own }));
  // Up to IR 3 every initializer is listed among the inputs.
  const listed = model.proto.irVersion > 3 ? [] : initializers;
  return {
    removals: apart.map(({ node }) => node.span),
    initializers,
    inputs: listed.map(({ name, tensor: { dtype, dims } }) => ({ name, dtype, shape: dims })),
  };
}

function joined(own: ModelEdit, further: ModelEdit): ModelEdit {
  return {
    ...further,
    removals: [...(own.removals ?? []), ...(further.removals ?? [])],
    initializers: [...(own.initializers ?? []), ...(further.initializers ?? [])],
    inputs: [...(own.inputs ?? []), ...(further.inputs ?? [])],
    replacements: [...(own.replacements ?? []), ...(further.replacements ?? [])],
  };
}

function withLocations(model: ModelProto, edit: ModelEdit, locations: ExternalPlan['locations']): ModelEdit {
  if (locations.size === 0) return edit;
  return { ...edit, replacements: [...(edit.replacements ?? []), ...relocateExternal(model, locations)] };
}

interface Writing {
  readonly edit: ModelEdit;
  readonly patches: readonly BytePatch[];
  readonly external: ExternalPlan;
}

/** Everything is written under temporary names first, then renamed: data files, and the model last. */
function writeTogether(proto: ModelProto, { edit, patches, external }: Writing, path: string): string[] {
  const files = [...external.copies.map(({ target }) => target), path];
  replaceFiles(files, (temporary) => {
    for (const copy of external.copies) copyPatched(copy, temporary(copy.target));
    writeModel({ ...proto, source: patchedSource(proto.source, patches) }, edit, temporary(path));
  });
  return files;
}

/** @throws LossgraftError `output-is-input` if a model would be overwritten. */
export function refuseInput(model: Model, path: string): void {
  if (model.path === null) return;
  const [input, output] = [model.path, resolve(path)].map((file) =>
    statSync(file, { throwIfNoEntry: false, bigint: true }),
  );
  if (output === undefined || input?.ino !== output.ino || input.dev !== output.dev) return;
  throw new LossgraftError({
    code: 'output-is-input',
    where: path,
    expected: 'a file other than the model itself',
    found: 'the same file',
    hint: 'Choose another output name',
  });
}
