import type { EpochRecord, TrainEvent } from '../../src/index.ts';
import { drawCurve } from './curve.ts';
import { element } from './dom.ts';
import { duration } from './words.ts';

/** Drawn so often at most: a small network takes hundreds of steps in a second. */
const FRAME_MS = 120;

/** A training while it runs: its progress and its curves. */
export class Live {
  #losses: number[] = [];
  /** Steps after the first run and after the latest one: a run may take several. */
  #steps: [number, number] = [0, 0];
  #epochs: EpochRecord[] = [];
  #drawn = 0;

  begin(): void {
    this.#losses = [];
    this.#epochs = [];
    this.#drawn = 0;
    element('curves').hidden = true;
    element('progress').removeAttribute('value');
  }

  /** @returns what is to be said of the event, if anything. */
  hear(event: TrainEvent): string | undefined {
    if (event.kind === 'features') return `Computing the frozen layers once: ${event.done} of ${event.total} samples`;
    if (event.kind === 'step') {
      if (this.#losses.length === 0) this.#steps = [event.done, event.done];
      this.#steps[1] = event.done;
      this.#losses.push(event.loss);
      element('progress').setAttribute('value', String(event.done / event.total));
      this.#draw(false);
      const left = event.secondsLeft === null ? '' : `, ${duration(event.secondsLeft)} left`;
      return `Epoch ${event.epoch} of ${event.epochs}, loss ${event.loss.toPrecision(3)}${left}`;
    }
    if (event.kind === 'epoch') {
      // Folds and further losses start from zero.
      if (event.epoch <= (this.#epochs.at(-1)?.epoch ?? -1)) this.#epochs = [];
      this.#epochs.push(event);
      this.#draw(true);
      return event.epoch === 0 ? 'The model as it was given is judged' : undefined;
    }
    return event.text;
  }

  #draw(isDue: boolean): void {
    const now = performance.now();
    if (!isDue && now - this.#drawn < FRAME_MS) return;
    this.#drawn = now;
    element('curves').hidden = false;
    drawCurve(
      element('loss-curve'),
      [{ name: 'loss', values: this.#losses, className: '' }],
      this.#steps,
      'Training loss',
    );
    const series = (name: 'balancedAccuracy' | 'macroF1'): number[] =>
      this.#epochs.map((epoch) => 100 * (epoch[name] ?? Number.NaN));
    const lines = [
      { name: 'macro-F1', values: series('macroF1'), className: 'second' },
      { name: 'balanced accuracy', values: series('balancedAccuracy'), className: '' },
    ];
    drawCurve(element('metric-curve'), lines, [0, this.#epochs.length - 1], 'Held-out samples');
  }
}
