import { basename, dirname, join } from 'node:path';
import { fs } from 'memfs';
import {
  type DataOptions,
  type Dataset,
  dataParts,
  type Inspection,
  inspect,
  type Metrics,
  type Model,
  open,
  openData,
  type Provider,
  rehearse,
  type TrainEvent,
  type TrainOptions,
  type TrainResult,
  train,
  trainGraph,
} from '../../src/index.ts';
import { wilson } from '../../src/metrics/wilson.ts';
import { changedIn } from '../../src/tuned/changed.ts';
import type { Device } from '../platform/onnxruntime.ts';
import type { Answers, Checked, Choices, Dropped, Reading, Recall, Request, Trained } from '../protocol.ts';
import { startDevice } from './device.ts';
import { bytesOf, dataIn, keep, modelIn, textOf } from './files.ts';

const MODEL = '/model';
const DATA = '/data';
const RUN = '/run';
const OUT = '/out';

interface Samples {
  readonly data: Dataset;
  readonly validation?: Dataset;
  readonly test?: Dataset;
}

/** What was dropped, and what was made of it. */
export class Engine {
  readonly #onEvent: (event: TrainEvent) => void;
  #model: Model | undefined;
  #samples: Samples | undefined;
  #result: TrainResult | undefined;
  #provider: Provider = 'cpu';

  constructor(onEvent: (event: TrainEvent) => void) {
    this.#onEvent = onEvent;
    for (const folder of ['/tmp', '/home', MODEL, DATA]) fs.mkdirSync(folder, { recursive: true });
  }

  /** @param signal ends a training after its step. */
  async answer(request: Request, signal: AbortSignal): Promise<Answers[Request['kind']]> {
    switch (request.kind) {
      case 'start':
        return this.#start(request.device);
      case 'model':
        return this.#openModel(request.files);
      case 'data':
        return this.#openSamples(request.files, request.reading);
      case 'check':
        return this.#check(request.choices, signal);
      case 'train':
        return this.#train(request.choices, signal);
      case 'write':
        return this.#write(request.anyway);
    }
  }

  async #start(asked: Device | 'auto'): Promise<Answers['start']> {
    const started = await startDevice(asked);
    this.#provider = started.device === 'webgpu' ? 'webgpu' : 'cpu';
    return started;
  }

  async #openModel(files: readonly Dropped[]): Promise<Answers['model']> {
    this.#model?.close();
    this.#model = undefined;
    await keep(MODEL, files);
    const model = await open(modelIn(MODEL));
    const inspection = await inspect(model);
    await refuseUntrainable(model, inspection);
    this.#model = model;
    const isPrepared = fs.existsSync(join(dirname(model.path ?? MODEL), 'preprocessor_config.json'));
    return { inspection, isPrepared, images: imagesOf(inspection) };
  }

  async #openSamples(files: readonly Dropped[], reading: Reading): Promise<Answers['data']> {
    for (const data of Object.values(this.#samples ?? {})) data?.close();
    this.#samples = undefined;
    if (files.length > 0) await keep(DATA, files);
    const path = dataIn(DATA);
    const parts = dataParts(path);
    const options: DataOptions = { ...reading, ...(this.#model?.path ? { model: this.#model.path } : {}) };
    const data = await openData(parts?.data ?? path, options);
    const validation = parts?.validation && (await openData(parts.validation, options));
    const test = parts?.test && (await openData(parts.test, options));
    this.#samples = { data, ...(validation ? { validation } : {}), ...(test ? { test } : {}) };
    return {
      path: path.replace(`${DATA}/`, ''),
      classNames: data.classNames ?? null,
      parts: Object.values(parts ?? {}).map((part) => basename(part)),
      notes: data.notes ?? [],
    };
  }

  async #check(choices: Choices, signal: AbortSignal): Promise<Checked> {
    const { model, options } = this.#asked(choices, signal);
    const { samples, classNames, classCounts, schedule, stepsPerEpoch, estimate, notes } = await rehearse(
      model,
      options,
    );
    const { epochs } = schedule;
    return { samples, classNames, classCounts, epochs, stepsPerEpoch, seconds: estimate.seconds, notes };
  }

  async #train(choices: Choices, signal: AbortSignal): Promise<Trained> {
    const { model, options } = this.#asked(choices, signal);
    const result = await train(model, { ...options, onEvent: this.#onEvent });
    this.#result = result;
    const { interrupted, classCounts, classNames, decision, history, folds, notes, report } = result;
    return {
      ...{ interrupted, classCounts, classNames, decision, history, folds, notes },
      before: result.before.judged,
      after: offered(result),
      isTest: result.before.test !== null,
      recalls: recallsOf(result),
      report: report === null ? null : textOf(report),
    };
  }

  async #write(anyway: boolean): Promise<Answers['write']> {
    const [model, result] = [this.#model, this.#result];
    if (model === undefined || result === undefined) throw new Error('nothing was trained yet');
    fs.rmSync(OUT, { recursive: true, force: true });
    fs.mkdirSync(OUT, { recursive: true });
    const path = join(OUT, `${basename(model.name, '.onnx')}-tuned.onnx`);
    const written = await result.write(path, { force: true, anyway });
    const isModel = (file: string): number => Number(file === path);
    const ordered = [...written].sort((a, b) => isModel(b) - isModel(a));
    const files = ordered.map((file) => ({ name: basename(file), bytes: bytesOf(file) }));
    const [only, ...others] = files;
    const isOne = only !== undefined && others.length === 0;
    const given = bytesOf(model.path ?? '');
    return { files, given: given.length, changed: isOne ? changedIn(model, given, only.bytes) : null };
  }

  #asked(
    { trainable, ...choices }: Choices,
    signal: AbortSignal,
  ): { readonly model: Model; readonly options: TrainOptions } {
    const [model, samples] = [this.#model, this.#samples];
    if (model === undefined || samples === undefined) throw new Error('a model and data come first');
    return {
      model,
      options: {
        ...choices,
        ...samples,
        provider: this.#provider,
        trainable,
        folder: RUN,
        mode: 'replace',
        signal,
      },
    };
  }
}

/** @throws LossgraftError where nothing of a model can be trained, before samples are asked for. */
async function refuseUntrainable(model: Model, { logits, trainable }: Inspection): Promise<void> {
  if ('problem' in logits || trainable.problem !== null) await trainGraph(model, { loss: 'ce', trainable: 'all' });
}

/** The model that the run would write, or else its first. */
function offered({ arms, decision, half }: TrainResult): Trained['after'] {
  if (decision?.taken?.share === 0.5 && half) return half;
  const arm = arms.find(({ name }) => name === decision?.taken?.arm) ?? arms[0];
  return arm?.judged ?? arm?.best ?? null;
}

function recallsOf(result: TrainResult): Trained['recalls'] {
  const [before, after] = [result.before.judged, offered(result)];
  return result.classCounts.map((trained, k) => ({
    name: result.classNames?.[k] ?? String(k),
    trained,
    before: recallOf(before, k),
    after: recallOf(after, k),
  }));
}

function recallOf(metrics: Metrics | null, k: number): Recall | null {
  const recall = metrics?.recall[k] ?? null;
  if (recall === null) return null;
  const samples = metrics?.confusion?.[k]?.reduce((sum, n) => sum + n, 0) ?? 0;
  return { recall, ...(samples === 0 ? { low: null, high: null } : wilson(Math.round(recall * samples), samples)) };
}

/** Of a model with one input of [N, 1 or 3, height, width]. */
function imagesOf({ inputs }: Answers['model']['inspection']): Answers['model']['images'] {
  const [, channels, height, width] = inputs.find(({ shape }) => shape?.length === 4)?.shape ?? [];
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number') return null;
  return channels === 1 || channels === 3 ? { height, width, channels } : null;
}
