import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { checkBodies, explainRefusal, withoutTf32 } from './cuda/guard.ts';
import { findProfile, type PlacedNode } from './device/profile.ts';
import { checkFeeds, describePort, isRuntimeType, type Port } from './feeds.ts';
import { config, create, nativeOptions, OPTIMIZATION, type Provider, type SessionOptions } from './sessionOptions.ts';
import { DeviceTensor, type Feed, fromNative, toNative } from './sessionTensors.ts';
import { explainRun, explainWebgpu } from './webgpu/guard.ts';

export type { Port } from './feeds.ts';
export type { Provider, SessionOptions } from './sessionOptions.ts';
export { DeviceTensor, type Feed } from './sessionTensors.ts';

/** A loaded model. */
export interface Session {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /**
   * For `cuda`: the nodes that ONNX Runtime keeps on the CPU on purpose, because they compute shapes. Any other such node refuses the
   * session.
   */
  readonly shapeNodesOnCpu: readonly PlacedNode[];
  /**
   * Runs the model once. It blocks the JavaScript thread meanwhile.
   *
   * @param feeds every input of the model by name, and nothing else.
   * @param fetches the requested outputs; all of them by default.
   * @throws LossgraftError for feeds or fetches that do not fit, and for ONNX Runtime's errors (as the cause).
   */
  run(feeds: Readonly<Record<string, Feed>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
  /** The same, of all outputs, of which those that {@link SessionOptions.onDevice} names stay where they are. */
  runOnDevice(feeds: Readonly<Record<string, Feed>>): Promise<Record<string, Feed>>;
  /** Ends the profile that {@link SessionOptions.profile} began and returns the path of its file. */
  endProfiling(): Promise<string>;
  /** Frees the model. Closing twice is harmless. */
  close(): Promise<void>;
}

/** The version of the ONNX Runtime that sessions run on. */
export const runtimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

/** The most inputs an error lists: a training graph has one for each weight. */
const SHOWN_INPUTS = 6;

/** A model's path, or its bytes with the session's options for them. */
export interface ModelFile {
  readonly file: string | Uint8Array;
  readonly session: Pick<SessionOptions, 'name' | 'externalDataFolder'>;
}

/**
 * Loads a model, from a path or from its bytes.
 *
 * Graph inputs that are also initializers are not listed in `inputs` and cannot be fed: ONNX Runtime would ignore the feed.
 *
 * @throws LossgraftError with ONNX Runtime's error as its cause; for `cuda`, saying what is missing on this machine.
 */
export async function openSession(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const name = options.name ?? (typeof model === 'string' ? basename(model) : 'model');
  if (typeof model === 'string' && !existsSync(model)) {
    throw new LossgraftError({
      code: 'model-not-found',
      where: model,
      expected: 'an ONNX file',
      found: 'no file there',
      hint: 'Check the path',
    });
  }
  if (typeof model === 'string' && options.externalDataFolder !== undefined) {
    throw new LossgraftError({
      code: 'unused-option',
      where: model,
      expected: 'externalDataFolder with a model given as bytes',
      found: 'a path, so external data are read from its folder',
      hint: 'Omit the option, or pass bytes',
    });
  }
  if (options.provider === 'cuda' && options.tf32 !== true) withoutTf32();
  ort.env.logLevel = LOG_LEVELS[options.logSeverity ?? 4];
  try {
    return options.provider === 'cuda' ? await openOnCuda(name, model, options) : await open(name, model, options);
  } catch (cause) {
    if (options.provider === 'webgpu') throw await explainWebgpu(name, cause);
    throw wrap(cause, name, 'model-not-loaded', 'a model that ONNX Runtime loads', 'Check it with onnx.checker');
  }
}

const STRICT: Readonly<Record<string, string>> = { 'session.disable_cpu_ep_fallback': '1' };

async function openOnCuda(name: string, model: string | Uint8Array, options: SessionOptions): Promise<Session> {
  const optimization = OPTIMIZATION[options.optimization ?? 'all'];
  const run = { model, provider: 'cuda', optimization, config: config(options) } as const;
  const strict = { ...options, config: { ...options.config, ...STRICT } };
  let native: ort.InferenceSession | undefined;
  try {
    native = await create(model, nativeOptions(strict));
    return new OrtSession(name, native, options, await checkBodies(name, run));
  } catch (cause) {
    await native?.release();
    if (cause instanceof LossgraftError) throw cause;
    const shapeNodes = await explainRefusal(name, run, cause);
    return new OrtSession(name, await create(model, nativeOptions(options)), options, shapeNodes);
  }
}

async function open(name: string, model: string | Uint8Array, options: SessionOptions): Promise<Session> {
  return new OrtSession(name, await create(model, nativeOptions(options)), options, []);
}

const LOG_LEVELS = ['verbose', 'info', 'warning', 'error', 'fatal'] as const;
class OrtSession implements Session {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly shapeNodesOnCpu: readonly PlacedNode[];
  readonly #name: string;
  readonly #profile: string | undefined;
  readonly #provider: Provider;
  #native: ort.InferenceSession | undefined;

  constructor(
    name: string,
    native: ort.InferenceSession,
    { profile, provider = 'cpu' }: SessionOptions,
    shapeNodes: readonly PlacedNode[],
  ) {
    this.#name = name;
    this.shapeNodesOnCpu = shapeNodes;
    this.#native = native;
    this.#profile = profile;
    this.#provider = provider;
    this.inputs = native.inputMetadata.map(port);
    this.outputs = native.outputMetadata.map(port);
  }

  async run(feeds: Readonly<Record<string, Feed>>, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const results = await this.#run(feeds, fetches);
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, inMemory(tensor)]));
  }

  runOnDevice(feeds: Readonly<Record<string, Feed>>): Promise<Record<string, Feed>> {
    return this.#run(feeds);
  }

  async #run(feeds: Readonly<Record<string, Feed>>, fetches?: readonly string[]): Promise<Record<string, Feed>> {
    const native = this.#open();
    checkFeeds(this.#name, this.inputs, feeds);
    this.#checkFetches(fetches);
    const given: Record<string, ort.Tensor> = {};
    for (const [name, tensor] of Object.entries(feeds)) given[name] = toNative(this.#name, tensor);
    try {
      const results = await (fetches === undefined ? native.run(given) : native.run(given, fetches));
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, fromNative(this.#name, name, value)]),
      );
    } catch (cause) {
      const known = this.#provider === 'webgpu' ? explainRun(this.#name, cause) : undefined;
      if (known) throw known;
      const shapes = Object.entries(feeds).map(([name, t]) => `${name} ${describePort(t.dtype, t.dims)}`);
      const more = shapes.length > SHOWN_INPUTS ? `, … (${shapes.length})` : '';
      const hint = `It was given ${shapes.slice(0, SHOWN_INPUTS).join(', ') || 'no inputs'}${more}`;
      throw wrap(cause, this.#name, 'run-failed', 'a run without errors', hint);
    }
  }

  async endProfiling(): Promise<string> {
    const prefix = this.#profile;
    const native = this.#open();
    if (prefix === undefined) {
      throw new LossgraftError({
        code: 'no-profile',
        where: this.#name,
        expected: 'a session opened with the profile option',
        found: 'none',
        hint: 'Pass profile, a path prefix, to openSession',
      });
    }
    native.endProfiling();
    const file = await findProfile(prefix);
    if (file !== undefined) return file;
    throw new LossgraftError({
      code: 'no-profile',
      where: this.#name,
      expected: `a profile ${prefix}_….json`,
      found: 'no such file',
      hint: 'Check that its folder can be written',
    });
  }

  async close(): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    await native?.release();
  }

  #open(): ort.InferenceSession {
    if (this.#native !== undefined) return this.#native;
    throw new LossgraftError({
      code: 'session-closed',
      where: this.#name,
      expected: 'an open session',
      found: 'a closed one',
      hint: 'Open the model again',
    });
  }

  #checkFetches(fetches: readonly string[] = []): void {
    const unknown = fetches.find((name) => !this.outputs.some((output) => output.name === name));
    if (unknown === undefined) return;
    throw new LossgraftError({
      code: 'unknown-fetch',
      where: `${this.#name}, output ${unknown}`,
      expected: `outputs among ${this.outputs.map((output) => output.name).join(', ')}`,
      found: unknown,
      hint: 'Correct the name',
    });
  }
}

function inMemory(tensor: Feed): Tensor {
  if (!(tensor instanceof DeviceTensor)) return tensor;
  throw new Error('an output that stays on the device is read by runOnDevice');
}

function port(meta: ort.InferenceSession.ValueMetadata): Port {
  if (!meta.isTensor) return { name: meta.name, dtype: undefined, shape: undefined };
  const dtype = isRuntimeType(meta.type) ? meta.type : undefined;
  return { name: meta.name, dtype, shape: meta.shape.map((dim) => (dim === '' ? undefined : dim)) };
}

function wrap(cause: unknown, where: string, code: ErrorCode, expected: string, hint: string): LossgraftError {
  if (cause instanceof LossgraftError) return cause;
  const found = (cause instanceof Error ? cause.message : String(cause)).trim();
  return new LossgraftError({ code, where, expected, found, hint, cause });
}
