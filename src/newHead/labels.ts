import type { AttributeInit } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';
import { replaceStored } from './stored.ts';
import { constantAt } from './visits.ts';
import { type NextClasses, notFollowed, type Visit, type Walk } from './walk.ts';

/** Class names for text labels. */
function texts({ names, classes }: NextClasses): string[] {
  return Array.from({ length: classes }, (_, k) => names?.[k] ?? String(k));
}

/** Class names for whole-number labels: names that are such numbers, or else indices. */
function wholes({ names, classes }: NextClasses, notes: string[]): bigint[] {
  const areNumbers = names?.every((name) => /^-?\d{1,18}$/.test(name)) ?? false;
  if (!areNumbers && !notes.includes(INDICES)) notes.push(INDICES);
  return Array.from({ length: classes }, (_, k) => BigInt((areNumbers ? names?.[k] : undefined) ?? k));
}

const INDICES =
  'The labels that the file gives are whole numbers, and stay so: they are the indices of the classes, whose names are in its metadata';

/** A ZipMap's own labels. */
export function zipMap({ walk, node }: Visit): void {
  walk.changes.push((next) => setAttributes(walk, node, next, ['classlabels_strings', 'classlabels_int64s']));
}

/** Index → label, if the keys are class indices. */
export function labelEncoder({ walk, node }: Visit): void {
  const keys = node.attributes.get('keys_int64s');
  const counts = keys?.type === 'ints' && keys.value.every((key, i) => key === BigInt(i));
  const values = ['values_strings', 'values_int64s'].filter((name) => node.attributes.has(name));
  if (!counts || keys.value.length !== walk.classes || values.length !== 1)
    throw notFollowed(node, 'labels whose keys do not count the classes');
  walk.changes.push((next) => {
    const counted: AttributeInit = { type: 'ints', value: Array.from({ length: next.classes }, (_, k) => BigInt(k)) };
    setAttributes(walk, node, next, values, new Map([['keys_int64s', counted]]));
  });
}

function setAttributes(
  { graph, notes }: Walk,
  node: Visit['node'],
  next: NextClasses,
  keys: readonly string[],
  further: ReadonlyMap<string, AttributeInit> = new Map(),
): void {
  const attributes = new Map([...node.attributes, ...further]);
  for (const key of keys) {
    const { type } = node.attributes.get(key) ?? {};
    if (type === 'strings') attributes.set(key, { type, value: texts(next) });
    if (type === 'ints') attributes.set(key, { type, value: wholes(next, notes) });
  }
  const { opType, domain, inputs, outputs } = node;
  graph.replaceNode(node, { opType, domain, inputs, outputs, attributes });
}

/** A table of labels indexed by an ArrayFeatureExtractor or a Gather. */
export function labelTable(visit: Visit): void {
  const { walk, node } = visit;
  const table = constantAt(visit, 0);
  const { dtype, dims = [] } = table?.tensor ?? {};
  const isTable = dims.at(-1) === walk.classes && dims.slice(0, -1).every((dim) => dim === 1);
  if (!table || !isTable || (dtype !== 'string' && dtype !== 'int64' && dtype !== 'int32'))
    throw notFollowed(node, 'a table of something other than labels');
  walk.changes.push((next) => {
    const store = { ...table.tensor, dims: [...dims.slice(0, -1), next.classes] };
    replaceStored(walk.graph, { value: table.value, reader: node }, labelled(store, next, walk.notes));
  });
}

function labelled({ dtype, dims }: Tensor, next: NextClasses, notes: string[]): Tensor {
  if (dtype === 'string') return { dtype, dims, data: texts(next) };
  const numbers = wholes(next, notes);
  return { dtype, dims, data: dtype === 'int64' ? BigInt64Array.from(numbers) : Int32Array.from(numbers, Number) };
}
