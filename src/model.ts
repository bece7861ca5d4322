import { basename, dirname, resolve } from 'node:path';
import { LossgraftError } from './errors.ts';
import type { ByteSource } from './files/bytes.ts';
import { fromBytes } from './files/bytes.ts';
import { openFile } from './files/source.ts';
import { bytesHash, sha256 } from './hash.ts';
import { buildGraph } from './ir/build.ts';
import type { Graph, Node, Value } from './ir/graph.ts';
import { isRecord } from './isRecord.ts';
import { modelFileIn } from './modelFolder.ts';
import { checkExternal, scan } from './onnx/index.ts';
import type { ModelProto } from './onnx/types.ts';
import { checkOptions } from './options/check.ts';
import { type OptionsOf, text } from './options/row.ts';
import { markBfloat16 } from './runtime/oracle/bfloat16.ts';
import { inferTypes } from './runtime/oracle/oracle.ts';
import { forgetBodySizes } from './runtime/oracle/restate.ts';
import type { ModelFile } from './runtime/session.ts';

/** An opened ONNX file. Its structure is in memory, its weights stay in the file; it is never written to. `using` closes it. */
export interface OpenedModel extends Disposable {
  /** `null` for bytes. */
  readonly path: string | null;
  readonly name: string;
  /** The folder for resolving external data. */
  readonly dir: string;
  /** The ai.onnx opset. */
  readonly opset: number;
  close(): void;
}

/** The same with what only lossgraft sees. */
export interface Model extends OpenedModel {
  readonly proto: ModelProto;
  /** The model in its file, if this one is a copy in another precision. */
  readonly stored?: Model;
  /** Operators on integers in that file that compute with floats here, each once. */
  readonly integerOperators?: readonly string[];
}

/**
 * Opens an ONNX model: a file, a Hugging Face folder with one, or bytes.
 *
 * @throws LossgraftError if the file is missing, truncated or not an ONNX model, or its external data entries are invalid.
 */
export async function open(file: string | Uint8Array, options: OpenOptions = {}): Promise<Model> {
  checkOptions(openRows, options);
  if (typeof file !== 'string') {
    const { name = 'model', dir = process.cwd() } = options;
    return modelOf(fromBytes(file, name), { path: null, name, dir: resolve(dir) });
  }
  if (Object.keys(options).length > 0) throw forBytes(file, Object.keys(options));
  const inside = modelFileIn(file);
  const path = resolve(inside);
  return modelOf(openFile(inside), { path, name: basename(path), dir: dirname(path) });
}

function modelOf(source: ByteSource, place: Pick<Model, 'path' | 'name' | 'dir'>): Model {
  const close = (): void => source.close();
  try {
    const proto = scan(source);
    checkExternal(source, proto.graph);
    return { ...place, proto, opset: proto.opsetImports.get('') ?? 1, close, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

function forBytes(path: string, options: readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'unused-option',
    where: path,
    expected: `${options.join(', ')} for a model that is given as bytes`,
    found: 'a path, which gives both',
    hint: 'Leave the options out',
  });
}

/** The models behind users' handles. */
const models = new WeakMap<OpenedModel, Model>();

/** A user's handle of a model, without its structure. {@link opened} returns the model. */
export function sealed(model: Model): OpenedModel {
  const { path, name, dir, opset, close } = model;
  const held: OpenedModel = { path, name, dir, opset, close, [Symbol.dispose]: close };
  models.set(held, model);
  return held;
}

/** The model behind a handle. @throws LossgraftError `not-opened` */
export function opened(model: OpenedModel): Model {
  const own = models.get(model);
  if (own) return own;
  if (isModel(model)) return model;
  throw new LossgraftError({
    code: 'not-opened',
    where: 'model',
    expected: 'a model that open returned',
    found: typeof model === 'string' ? `the path "${model}"` : typeof model,
    hint: 'Open it first: await open(path)',
  });
}

/** Within lossgraft models are not sealed. */
function isModel(model: unknown): model is Model {
  return isRecord(model) && 'proto' in model;
}

/** What a session opens. */
export function modelFile({ path, name, dir, proto, stored }: Model): ModelFile {
  if (path !== null && stored === undefined) return { file: path, session: {} };
  return { file: proto.source.read(0, proto.source.size), session: { name, externalDataFolder: dir } };
}

/** The SHA-256 of a model's file, in hex. */
export async function modelHash({ path, proto, stored }: Model): Promise<string> {
  if (stored) return modelHash(stored);
  return path === null ? bytesHash(proto.source.read(0, proto.source.size)) : sha256(path);
}

/** Options of `open`, for bytes. */
const openRows = {
  /** The model's name in messages. Default `model`. */
  name: text('', { flag: false }),
  /** The folder of its external data. Default: the working folder. */
  dir: text('', { flag: false }),
};

export type OpenOptions = OptionsOf<typeof openRows>;

/** How many nodes before the outputs are typed by default: a head and its tail are shorter. */
const TAIL_DEPTH = 16;

/** A new graph of the model to work on, after `edit`, typed near its outputs and around the `named` tensors. */
export async function typedGraph(
  model: Model,
  named: readonly (string | undefined)[] = [],
  edit: (graph: Graph) => void = () => {},
): Promise<Graph> {
  const graph = buildGraph(model.proto);
  edit(graph);
  markBfloat16(graph);
  forgetBodySizes(model.proto, graph);
  await inferTypes(model.proto, graph, valuesBefore(graph, named));
  return graph;
}

/** The values within {@link TAIL_DEPTH} nodes before the outputs and the named tensors. */
export function valuesBefore(graph: Graph, named: readonly (string | undefined)[]): Value[] {
  const extra = named.flatMap((name) =>
    name === undefined ? [] : [graph.value(name, `${name} (named by an option)`)],
  );
  const seen = new Set<Value>([...graph.outputs, ...extra]);
  let frontier: Value[] = [...seen];
  for (let depth = 0; depth < TAIL_DEPTH; depth++) {
    const producers = new Set<Node>(frontier.flatMap((value) => (value.producer ? [value.producer] : [])));
    frontier = [];
    for (const producer of producers) {
      for (const input of producer.inputs) {
        if (!input || seen.has(input)) continue;
        seen.add(input);
        frontier.push(input);
      }
    }
  }
  return [...seen];
}
