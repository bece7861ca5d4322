import { LossgraftError, option } from '../errors.ts';
import { fileFor } from '../lower/webgpu/file.ts';
import type { Model } from '../model.ts';
import type { Provider } from '../runtime/session.ts';
import { elementCount } from '../tensor.ts';
import type { Runner } from '../thread/runner.ts';
import { LEARNING_RATE } from '../trainGraph/backward.ts';
import { type Evaluation, evaluationGraph } from '../trainGraph/evaluation.ts';
import type { FrozenPart } from '../trainGraph/frozenPart.ts';
import type { TrainGraph, TrainGraphRequest } from '../trainGraph/trainGraph.ts';
import { STEP_COUNTER } from '../transform/dropout.ts';
import type { GraftRequest } from '../transform/graft.ts';
import { SCALES } from '../transform/scales.ts';
import { locate, type Tie } from '../tuned/locate.ts';
import { FROZEN } from './features.ts';
import { type LoopRequest, Lowering } from './lowering.ts';
import type { Arm, GraphRequest } from './request.ts';

/** An open training graph of the runner. */
export interface OpenGraph {
  readonly key: string;
  readonly graph: TrainGraph;
  readonly names: { readonly loss: string; readonly rate: string };
  /** The runner's key of the graph for batches of that size. */
  keyFor(batch: number): Promise<string>;
  /**
   * Compares the network with its plain form once, after the first steps, so as not to delay them.
   *
   * @returns false if they disagree: graphs opened from now on are plain, and the training so far is void.
   */
  prove(): Promise<boolean>;
}

/** What all graphs of a run have in common. */
export interface Common {
  readonly stateNames: readonly string[];
  readonly stateBytes: number;
  /** Parameters and running statistics, which go back into the file. */
  readonly tuned: readonly string[];
  readonly untied: readonly Tie[];
}

/** The graphs of a run, built and opened on demand: one for training, and those that judge. */
export class GraphPool {
  readonly #model: Model;
  readonly #runner: Runner;
  readonly #provider: Provider;
  readonly lowering: Lowering;
  readonly #threads: { readonly threads?: number };
  /** Notes from preparing the graphs. */
  readonly notes: Set<string> = new Set();
  #open: OpenGraph | undefined;
  /** Keys of the runner's open training graphs. */
  readonly #training = new Set<string>();
  #common: Common | undefined;
  #frozen: FrozenPart | undefined;

  /** @param threads of one operator; default: as many as the processor has cores. */
  constructor(model: Model, runner: Runner, provider: Provider, threads?: number) {
    this.#model = model;
    this.#runner = runner;
    this.lowering = new Lowering(model, provider);
    this.#provider = provider;
    this.#threads = threads === undefined ? {} : { threads };
  }

  /** The open training graph. */
  get current(): OpenGraph {
    if (this.#open) return this.#open;
    throw new Error('no training graph is open');
  }

  get common(): Common {
    if (this.#common) return this.#common;
    throw new Error('no training graph was built yet');
  }

  /** Removes a frozen part from all graphs opened from now on. Their feeds pass through it, or come from it. */
  async putBehind(part: FrozenPart): Promise<void> {
    await this.#openInRunner(FROZEN, await this.#ownForms(FROZEN, part.bytes));
    this.#frozen = part;
  }

  /** Opens a training graph in place of the previous one. @throws LossgraftError naming what cannot be trained or written back. */
  async train(key: string, own: GraphRequest): Promise<OpenGraph> {
    if (this.#open?.key === key) return this.#open;
    for (const open of this.#training) await this.#runner.ask({ kind: 'close', graph: open });
    this.#training.clear();
    this.#open = undefined;
    const request: LoopRequest = { ...own, ...this.#cut };
    const graph = await this.#openSound(key, request);
    this.#agree(graph);
    for (const note of notesOf(graph)) this.notes.add(note);
    const names = { loss: graph.report.names.loss ?? 'loss', rate: request.rename?.learning_rate ?? LEARNING_RATE };
    const keyFor = (batch: number): Promise<string> => this.#keyFor(batch, key, request, graph);
    const prove = (): Promise<boolean> => this.#prove(request, graph);
    this.#open = { key, graph, names, keyFor, prove };
    return this.#open;
  }

  /** If a wrong lowered graph cannot be opened, the plain one is used. */
  async #openSound(key: string, request: LoopRequest): Promise<TrainGraph> {
    const graph = await this.lowering.build(request);
    try {
      await this.#openTraining(key, graph);
      return graph;
    } catch (error) {
      if (await this.#prove(request, graph)) throw error;
    }
    const plain = await this.lowering.build(request);
    await this.#openTraining(key, plain);
    return plain;
  }

  async #prove(request: LoopRequest, graph: TrainGraph): Promise<boolean> {
    const why = await this.lowering.disprove(request, graph);
    if (why === undefined) return true;
    this.#open = undefined;
    this.notes.add(`Training uses the plain forms: on this network the faster forms gave ${why}. Please report this`);
    return false;
  }

  async #openTraining(key: string, graph: TrainGraph): Promise<void> {
    const states = this.#provider === 'webgpu' ? { states: graph.report.states.map(({ name }) => name) } : {};
    await this.#openInRunner(key, graph.sessionBytes(), states);
    this.#training.add(key);
  }

  /** The last batch of an epoch gets its own graph on first use. */
  async #keyFor(batch: number, key: string, request: LoopRequest, graph: TrainGraph): Promise<string> {
    if (this.lowering.fits(graph, batch)) return key;
    const own = `${key}, batches of ${batch}`;
    if (!this.#training.has(own)) await this.#openTraining(own, await this.lowering.build(request, batch));
    return own;
  }

  /** Opens a graph that judges states. */
  async judge(key: string, request: GraftRequest & { readonly keepTies?: boolean }): Promise<Evaluation> {
    const evaluation = await evaluationGraph(this.#model, request, this.common.tuned, this.#frozen);
    await this.#openInRunner(key, await this.#ownForms(key, evaluation.bytes));
    return evaluation;
  }

  async close(key: string): Promise<void> {
    await this.#runner.ask({ kind: 'close', graph: key });
  }

  /** Operators of a graph that nothing was written for yet in the forms of the provider. */
  async #ownForms(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    const session = { name, externalDataFolder: this.#model.dir };
    const { file } = await fileFor(this.#provider, { file: bytes, session });
    return typeof file === 'string' ? bytes : file;
  }

  async #openInRunner(
    graph: string,
    bytes: Uint8Array,
    states: { readonly states?: readonly string[] } = {},
  ): Promise<void> {
    const where = { provider: this.#provider, externalDataFolder: this.#model.dir, ...this.#threads };
    const front = this.#frozen ? { front: { graph: FROZEN, feeds: this.#frozen.feeds } } : {};
    const name = `${this.#model.name}, the graph "${graph}"`;
    await this.#runner.ask({ kind: 'open', graph, name, bytes, ...where, ...front, ...states });
  }

  get #cut(): Pick<TrainGraphRequest, 'frozen'> {
    return this.#frozen ? { frozen: this.#frozen } : {};
  }

  /** Momentum carries over the switch of losses: all graphs must have the same states. */
  #agree({ report, untied }: TrainGraph): void {
    const stateNames = report.states.map(({ name }) => name).sort();
    const tuned = report.states
      .filter(({ kind, name }) => kind !== 'slot' && name !== STEP_COUNTER)
      .map(({ name }) => name);
    locate(
      this.#model,
      tuned.filter((name) => name !== SCALES),
      untied,
    );
    const stateBytes = report.states.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
    const before = this.#common?.stateNames ?? stateNames;
    this.#common = { stateNames, stateBytes, tuned, untied };
    const other =
      before.find((name) => !stateNames.includes(name)) ?? stateNames.find((name) => !before.includes(name));
    if (other === undefined) return;
    throw new LossgraftError({
      code: 'states-differ',
      where: `loss ${report.loss}, state "${other}"`,
      expected: 'the same trained parameters under every loss of a run',
      found: 'a parameter that only some of the losses depend on',
      hint: `Leave that parameter out of ${option('trainable')}`,
    });
  }
}

function notesOf({ report: { notes, unreached } }: TrainGraph): readonly string[] {
  if (unreached.length === 0) return notes;
  return [...notes, `Not trained, since the loss does not depend on them: ${unreached.join(', ')}`];
}

/** The key of an arm's graph in {@link GraphPool}. */
export function keyOf({ name }: Arm): string {
  return `loss ${name}`;
}
