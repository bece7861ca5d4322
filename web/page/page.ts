import type { TrainEvent } from '../../src/index.ts';
import type { Answers, Dropped, OpenedModel, Reading, Request, Trained } from '../protocol.ts';
import { Client, Closed } from './client.ts';
import { button, download, element, fieldValue, setField } from './dom.ts';
import { classTable, deviceText, modelFacts, notesBox, planFacts } from './facts.ts';
import { choices, reading } from './form.ts';
import { Live } from './live.ts';
import { clearProblem, inWords, showProblem } from './problem.ts';
import { askAnyway, handOver, isOffered, showResult } from './result.ts';
import { type Kind, Work } from './work.ts';

/** An answer to what was asked before something else. */
class Superseded extends Error {}

/** The page: three steps and a result. What it shows, the engine has found. */
export class Page {
  readonly #live = new Live();
  readonly #work = new Work();
  #client = new Client((event) => this.#hear(event));
  #started: Promise<Answers['start']>;
  #modelFiles: readonly Dropped[] = [];
  #dataFiles: readonly Dropped[] = [];
  #model: OpenedModel | undefined;
  /** Whether this engine, which may be a new one, has the model open. */
  #isModelOpen = false;
  /** Whether the samples were read, as the fields say now. */
  #isRead = false;
  #trained: Trained | undefined;
  /** Counts what was asked for: an answer to what was asked before is left aside. */
  #turn = 0;

  constructor() {
    this.#started = this.#start();
  }

  get started(): Promise<Answers['start']> {
    return this.#started;
  }

  #start(): Promise<Answers['start']> {
    const chosen = fieldValue('engine');
    const asked = chosen === 'wasm' || chosen === 'webgpu' ? chosen : 'auto';
    delete element('device').dataset.device;
    element('device').textContent = 'Starting…';
    clearProblem('device-problem');
    const started = this.#client.ask({ kind: 'start', device: asked });
    started.then(
      (found) => {
        element('device').textContent = deviceText(found);
        element('device').dataset.device = found.device;
      },
      (error: unknown) => {
        if (error instanceof Closed) return;
        element('device').textContent = 'Nothing can be computed';
        showProblem('device-problem', error);
      },
    );
    return started;
  }

  /** Another engine, which knows nothing yet: what the former one was at has ended. */
  #renew(): void {
    this.#client.close();
    this.#client = new Client((event) => this.#hear(event));
    this.#isModelOpen = false;
    this.#isRead = false;
    this.#work.end();
    this.#started = this.#start();
  }

  /** Another device takes a new engine, which is given the same files. */
  async restart(): Promise<void> {
    this.#turn += 1;
    this.#renew();
    if (this.#modelFiles.length > 0) await this.takeModel(this.#modelFiles);
  }

  /** Whether a training forbids other files. */
  #isTraining(): boolean {
    if (this.#work.kind !== 'training') return false;
    this.#work.warn('The training is running. Stop it before you give other files.');
    return true;
  }

  /** @param data the samples that come along; those that were given before, if none do. */
  async takeModel(files: readonly Dropped[], data = this.#dataFiles): Promise<void> {
    if (files.length === 0 || this.#isTraining()) return;
    if (this.#work.kind !== undefined) this.#renew();
    this.#modelFiles = files;
    this.#dataFiles = data;
    this.#model = undefined;
    this.#isModelOpen = false;
    this.#forget('model-step', 'data-step');
    const isRead = await this.#act('reading', 'model-problem', 'Reading the model…', async () => {
      const model = await this.#openModel();
      this.#model = model;
      element('model-facts').hidden = false;
      element('model-facts').replaceChildren(modelFacts(model));
      element('model-step').classList.add('done');
      this.#proposeReading(model);
    });
    if (isRead && this.#dataFiles.length > 0) await this.takeData(this.#dataFiles);
  }

  async #openModel(): Promise<OpenedModel> {
    const turn = this.#turn;
    await this.#started;
    if (turn !== this.#turn) throw new Superseded();
    const model = await this.#ask({ kind: 'model', files: this.#modelFiles });
    this.#isModelOpen = true;
    return model;
  }

  /** Images are brought to the model's size where no file beside it says how. */
  #proposeReading({ images, isPrepared }: OpenedModel): void {
    setField('resize', images && !isPrepared ? `${images.height}x${images.width}` : '');
    setField('channels', images?.channels === 1 && !isPrepared ? '1' : '');
  }

  async takeData(files: readonly Dropped[]): Promise<void> {
    if (files.length === 0 || this.#isTraining()) return;
    if (this.#work.kind !== undefined && this.#model !== undefined) this.#renew();
    this.#dataFiles = files;
    this.#forget('data-step');
    if (this.#model === undefined) {
      if (this.#work.kind === undefined) this.#work.say('The samples wait for the model.');
      return;
    }
    await this.#act('reading', 'data-problem', 'Reading the samples…', async () => {
      if (!this.#isModelOpen) await this.#openModel();
      const data = await this.#ask({ kind: 'data', files, reading: this.#readingFor(files) });
      this.#isRead = true;
      element('data-facts').hidden = false;
      element('data-facts').replaceChildren(notesBox(data.notes));
      await this.#check();
    });
  }

  /** What applies to images alone is not asked of tables and arrays. */
  #readingFor(files: readonly Dropped[]): Reading {
    const holdsImages = files.some(({ path }) => /\.(jpe?g|png|gif|webp|zip)$/i.test(path));
    return reading(holdsImages);
  }

  async #check(): Promise<void> {
    this.#work.say('Matching labels with classes, and timing a few steps…');
    const checked = await this.#ask({ kind: 'check', choices: choices() });
    element('data-facts').replaceChildren(classTable(checked));
    element('data-step').classList.add('done');
    element('plan').replaceChildren(planFacts(checked));
    button('train').disabled = false;
  }

  /** What was read and planned is not what the fields say any more. */
  forgetSamples(): void {
    this.#isRead = false;
    if (this.#model !== undefined) this.#forget('data-step');
  }

  /** Samples are read anew, as the fields say. */
  async reread(): Promise<void> {
    if (this.#dataFiles.length === 0) this.#work.say('Drop samples first.');
    else await this.takeData(this.#dataFiles);
  }

  /** Reads them anew, unless that has begun already. */
  async rereadStale(): Promise<void> {
    if (!this.#isRead && this.#dataFiles.length > 0 && this.#work.kind === undefined)
      await this.takeData(this.#dataFiles);
  }

  /** The plan is of other choices. */
  forgetPlan(): void {
    element('plan').replaceChildren();
  }

  /** Choices change the plan. Who trains at once need not wait for it. */
  async recheck(): Promise<void> {
    if (!this.#isRead || this.#work.kind === 'training') return;
    this.forgetPlan();
    clearProblem('data-problem');
    this.#client.cancel();
    const isPlanned = await this.#act('checking', 'train-problem', '', () => this.#check());
    if (isPlanned === false) button('train').disabled = true;
  }

  async train(): Promise<void> {
    this.#client.cancel();
    element('result-step').hidden = true;
    this.#live.begin();
    let wasStopped = false;
    await this.#act('training', 'train-problem', 'Preparing the training…', async () => {
      const trained = await this.#ask({ kind: 'train', choices: choices() });
      wasStopped = trained.interrupted;
      if (wasStopped) return;
      this.#trained = trained;
      showResult(trained);
      element('train-step').classList.add('done');
    });
    if (wasStopped) this.#work.say('Stopped. Nothing was changed.');
    if (!element('result-step').hidden) element('result-title').focus();
    else if (!button('train').disabled) button('train').focus();
  }

  /** A training ends after its step; what does not, at once, with its engine. */
  async stop(): Promise<void> {
    const { kind, isStopping } = this.#work;
    if (kind === 'training' && !isStopping) {
      this.#client.cancel();
      this.#work.stopping();
      return;
    }
    this.#turn += 1;
    this.#renew();
    if (kind === 'training') await this.takeModel(this.#modelFiles);
    else {
      this.#forget('data-step');
      this.#work.say(
        this.#model === undefined ? 'Stopped. Drop a model.' : 'Stopped. Drop samples, or read them again.',
      );
    }
  }

  /** Gives the tuned model, after a question where it is not better. */
  async handOver(): Promise<void> {
    const [trained, model] = [this.#trained, this.#model];
    if (trained === undefined || model === undefined) return;
    const anyway = !isOffered(trained);
    if (anyway && !(await askAnyway(trained))) return;
    try {
      handOver(await this.#client.ask({ kind: 'write', anyway }));
    } catch (error) {
      showProblem('result-problem', error);
    }
  }

  giveReport(): void {
    const report = this.#trained?.report;
    if (report) download('report.html', report, 'text/html');
  }

  /** @returns the engine's answer, if nothing else was asked for since. */
  async #ask<R extends Request>(request: R): Promise<Answers[R['kind']]> {
    const turn = this.#turn;
    const answer = await this.#client.ask(request).catch((error: unknown) => {
      throw turn === this.#turn ? error : new Superseded();
    });
    if (turn !== this.#turn) throw new Superseded();
    return answer;
  }

  /** @returns whether it went well; `undefined` if something else was asked for since. */
  async #act(kind: Kind, box: string, said: string, act: () => Promise<void>): Promise<boolean | undefined> {
    this.#turn += 1;
    const turn = this.#turn;
    clearProblem(box);
    this.#work.begin(kind, said);
    let isGood = true;
    try {
      await act();
    } catch (error) {
      if (turn !== this.#turn || error instanceof Superseded) return undefined;
      showProblem(box, error);
      isGood = false;
    }
    if (turn !== this.#turn) return undefined;
    this.#work.end();
    return isGood;
  }

  /** What was found before is of other files. */
  #forget(...steps: readonly string[]): void {
    button('train').disabled = true;
    this.#isRead = false;
    for (const step of [...steps, 'train-step']) element(step).classList.remove('done');
    if (steps.includes('model-step')) element('model-facts').hidden = true;
    for (const id of ['data-facts', 'result-step', 'curves']) element(id).hidden = true;
    for (const box of ['model-problem', 'data-problem', 'train-problem', 'result-problem']) clearProblem(box);
    this.forgetPlan();
  }

  #hear(event: TrainEvent): void {
    const text = this.#live.hear(event);
    if (text !== undefined) this.#work.progress(inWords(text));
  }
}
