import { VERSION } from '../../src/catalogue.ts';
import type { TrainEvent } from '../../src/index.ts';
import type { Answers, Dropped, OpenedModel, Reading, Trained } from '../protocol.ts';
import { Client } from './client.ts';
import { button, download, element, fieldValue, setField } from './dom.ts';
import { ignoreOtherDrops, takeDrops } from './drop.ts';
import { exampleFiles } from './example.ts';
import { classTable, deviceText, modelFacts, notesBox, planFacts } from './facts.ts';
import { choices, reading } from './form.ts';
import { Live } from './live.ts';
import { clearProblem, inWords, showProblem } from './problem.ts';
import { askAnyway, handOver, isOffered, showResult } from './result.ts';

/** The page: three steps and a result. What it shows, the engine has found. */
class Page {
  readonly #live = new Live();
  #client = new Client((event) => this.#hear(event));
  #started: Promise<Answers['start']>;
  #model: OpenedModel | undefined;
  #modelFiles: readonly Dropped[] = [];
  #dataFiles: readonly Dropped[] = [];
  #trained: Trained | undefined;
  /** Counts what was dropped or chosen: answers to what was asked before are left aside. */
  #turn = 0;

  constructor() {
    this.#started = this.#start();
  }

  async #start(): Promise<Answers['start']> {
    const chosen = fieldValue('engine');
    const asked = chosen === 'wasm' || chosen === 'webgpu' ? chosen : 'auto';
    const started = await this.#client.ask({ kind: 'start', device: asked });
    element('device').textContent = deviceText(started);
    element('device').dataset.device = started.device;
    return started;
  }

  /** Keeps the page's files in the browser, and says when all are there. */
  async keepOffline(): Promise<void> {
    if (!('serviceWorker' in navigator)) return;
    await navigator.serviceWorker.register('serviceWorker.js', { type: 'module' });
    await navigator.serviceWorker.ready;
    // The engine began before its file could be kept.
    await fetch((await this.#started).file);
    element('offline').textContent = 'It works offline from now on.';
  }

  /** Another device takes a new engine, which is given the same files. */
  async restart(): Promise<void> {
    this.#client.close();
    this.#client = new Client((event) => this.#hear(event));
    this.#started = this.#start();
    if (this.#modelFiles.length > 0) await this.takeModel(this.#modelFiles);
    else if (this.#dataFiles.length > 0) await this.takeData(this.#dataFiles);
  }

  async takeModel(files: readonly Dropped[]): Promise<void> {
    if (files.length === 0) return;
    this.#modelFiles = files;
    this.#model = undefined;
    this.#forget('model-step', 'data-step');
    await this.#guarded('model-problem', 'Reading the model…', async () => {
      await this.#started;
      const model = await this.#client.ask({ kind: 'model', files });
      this.#model = model;
      element('model-facts').hidden = false;
      element('model-facts').replaceChildren(modelFacts(model));
      element('model-step').classList.add('done');
      this.#proposeReading(model);
    });
    if (this.#model !== undefined && this.#dataFiles.length > 0) await this.takeData(this.#dataFiles);
  }

  /** Images are brought to the model's size where no file beside it says how. */
  #proposeReading({ images, isPrepared }: OpenedModel): void {
    setField('resize', images && !isPrepared ? `${images.height}x${images.width}` : '');
    setField('channels', images?.channels === 1 && !isPrepared ? '1' : '');
  }

  async takeData(files: readonly Dropped[]): Promise<void> {
    if (files.length === 0) return;
    this.#dataFiles = files;
    this.#forget('data-step');
    if (this.#model === undefined) {
      this.#say('The samples wait for the model.');
      return;
    }
    await this.#guarded('data-problem', 'Reading the samples…', async () => {
      const data = await this.#client.ask({ kind: 'data', files, reading: this.#readingFor(files) });
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
    this.#say('Matching labels with classes, and timing a few steps…');
    const checked = await this.#client.ask({ kind: 'check', choices: choices() });
    element('data-facts').replaceChildren(classTable(checked));
    element('data-step').classList.add('done');
    element('plan').replaceChildren(planFacts(checked));
    button('train').disabled = false;
    this.#say('');
  }

  /** Samples are read anew, as the fields say. */
  reread(): Promise<void> {
    return this.takeData(this.#dataFiles);
  }

  /** Choices change the plan. Who trains at once need not wait for it. */
  async recheck(): Promise<void> {
    if (this.#model === undefined || button('train').disabled) return;
    this.#client.cancel();
    await this.#guarded('train-problem', '', () => this.#check());
  }

  async train(): Promise<void> {
    this.#turn += 1;
    this.#client.cancel();
    clearProblem('train-problem');
    element('result-step').hidden = true;
    this.#live.begin();
    this.#setRunning(true);
    try {
      const trained = await this.#client.ask({ kind: 'train', choices: choices() });
      this.#trained = trained;
      this.#say(trained.interrupted ? 'Stopped. Nothing was changed.' : '');
      if (!trained.interrupted) {
        showResult(trained);
        element('train-step').classList.add('done');
        element('result-step').scrollIntoView({ block: 'start' });
      }
    } catch (error) {
      showProblem('train-problem', error);
      this.#say('');
    } finally {
      this.#setRunning(false);
    }
  }

  cancel(): void {
    this.#client.cancel();
    this.#say('Stopping after this step…');
  }

  /** Gives the tuned model, after a question where it is not better. */
  async handOver(): Promise<void> {
    const [trained, model] = [this.#trained, this.#model];
    if (trained === undefined || model === undefined) return;
    const anyway = !isOffered(trained);
    if (anyway && !(await askAnyway(trained))) return;
    try {
      handOver(await this.#client.ask({ kind: 'write', anyway }), model.inspection.bytes);
    } catch (error) {
      showProblem('train-problem', error);
    }
  }

  giveReport(): void {
    const report = this.#trained?.report;
    if (report) download('report.html', report, 'text/html');
  }

  async #guarded(box: string, what: string, act: () => Promise<void>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    clearProblem(box);
    this.#say(what);
    try {
      await act();
    } catch (error) {
      if (turn === this.#turn) showProblem(box, error);
    } finally {
      if (turn === this.#turn) this.#say('');
    }
  }

  /** What was found before is of other files. */
  #forget(...steps: readonly string[]): void {
    button('train').disabled = true;
    for (const step of [...steps, 'train-step']) element(step).classList.remove('done');
    if (steps.includes('model-step')) element('model-facts').hidden = true;
    for (const id of ['data-facts', 'result-step', 'curves']) element(id).hidden = true;
    for (const box of ['model-problem', 'data-problem', 'train-problem']) clearProblem(box);
    element('plan').replaceChildren();
  }

  #hear(event: TrainEvent): void {
    const text = this.#live.hear(event);
    if (text !== undefined) this.#say(inWords(text));
  }

  #say(text: string): void {
    element('status').textContent = text;
  }

  #setRunning(isRunning: boolean): void {
    button('train').disabled = isRunning;
    element('choices').toggleAttribute('disabled', isRunning);
    for (const id of ['cancel', 'progress']) element(id).hidden = !isRunning;
  }
}

const page = new Page();
ignoreOtherDrops();
takeDrops('model-drop', ['model-files'], (files) => page.takeModel(files));
takeDrops('data-drop', ['data-files', 'data-folder'], (files) => page.takeData(files));
button('example').onclick = async () => {
  const { model, data } = await exampleFiles();
  await page.takeModel(model);
  await page.takeData(data);
};
button('reread').onclick = () => page.reread();
button('train').onclick = () => page.train();
button('cancel').onclick = () => page.cancel();
button('download').onclick = () => page.handOver();
button('report').onclick = () => page.giveReport();
element('engine').onchange = () => page.restart();
for (const id of ['trainable', 'goal', 'epochs', 'learningRate', 'folds']) element(id).onchange = () => page.recheck();
element('version').textContent = `lossgraft ${VERSION}`;
page.keepOffline().catch(() => {});
