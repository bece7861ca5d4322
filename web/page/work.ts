import { button, element } from './dom.ts';

/** What cannot be touched while a training runs: the engine has it. */
const SOURCES = ['model-files', 'example', 'data-folder', 'data-files', 'reading-fields', 'choices', 'train'];

/** What it takes to read a sentence. */
const READING_MS = 4000;

export type Kind = 'reading' | 'checking' | 'training';

/** The bar that says what the engine is at, and ends it. */
export class Work {
  #kind: Kind | undefined;
  #isStopping = false;
  #readUntil = 0;
  /** Whether the model was ready to be trained when a training began. */
  #wasReady = false;

  get kind(): Kind | undefined {
    return this.#kind;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  begin(kind: Kind, text: string): void {
    if (kind === 'training') this.#lock(true);
    this.#show(kind);
    element('progress').removeAttribute('value');
    // What was pressed cannot keep the focus.
    if (kind === 'training') button('cancel').focus();
    this.say(text);
  }

  /** A training was asked to end. */
  stopping(): void {
    this.#isStopping = true;
    button('cancel').textContent = 'Stop at once';
    this.say('Stopping after this step…');
  }

  end(text = ''): void {
    if (this.#kind === 'training') this.#lock(false);
    this.#show(undefined);
    this.say(text);
  }

  say(text: string): void {
    this.#readUntil = 0;
    element('status').textContent = text;
  }

  /** Says what the progress does not take away before it can be read. */
  warn(text: string): void {
    this.say(text);
    this.#readUntil = performance.now() + READING_MS;
  }

  progress(text: string): void {
    if (!this.#isStopping && performance.now() >= this.#readUntil) this.say(text);
  }

  #show(kind: Kind | undefined): void {
    this.#kind = kind;
    this.#isStopping = false;
    button('cancel').textContent = 'Stop';
    for (const id of ['cancel', 'progress']) element(id).hidden = kind === undefined;
  }

  #lock(isLocked: boolean): void {
    if (isLocked) this.#wasReady = !button('train').disabled;
    for (const id of SOURCES) element(id).toggleAttribute('disabled', isLocked);
    button('train').disabled = isLocked || !this.#wasReady;
  }
}
