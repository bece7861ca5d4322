import { SingleBar } from 'cli-progress';
import type { EpochRecord, TrainProgress } from '../src/index.ts';
import { formatNumber, printable } from './io.ts';
import { isWatched, tell } from './log.ts';

export interface TrainWatch {
  onProgress(p: TrainProgress): void;
  onEpoch(record: EpochRecord): void;
  onFeatures(progress: { readonly done: number; readonly total: number }): void;
  stop(): void;
}

/** Progress on stderr: a line per epoch, and a bar if someone may be watching. */
export function trainWatch(): TrainWatch {
  let bar: SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const onProgress = (p: TrainProgress): void => {
    if (!isWatched()) return;
    const { skippedSteps = 0 } = p;
    const payload = {
      what: `${printable(p.arm)} epoch ${p.epoch}/${p.epochs}`,
      loss: p.loss.toPrecision(4),
      rate: formatNumber(p.rate),
      skipped: skippedSteps > 0 ? ` | ${skippedSteps} skipped` : '',
      left: p.secondsLeft === null ? '' : ` | ${duration(p.secondsLeft)} left`,
    };
    if (bar === undefined) {
      bar = new SingleBar({
        stream: process.stderr,
        format: '{what} {bar} {percentage} % | loss {loss} | rate {rate}{skipped}{left}',
        clearOnComplete: true,
        hideCursor: true,
      });
      bar.start(p.total, p.done, payload);
    } else bar.update(p.done, payload);
  };
  const onEpoch = (record: EpochRecord): void => {
    stop();
    tell(`${epochLine(record)}\n`);
  };
  const onFeatures = ({ done, total }: { readonly done: number; readonly total: number }): void => {
    if (!isWatched()) return;
    bar ??= startFeatures(total);
    bar.update(done);
    if (done === total) stop();
  };
  return { onProgress, onEpoch, onFeatures, stop };
}

function startFeatures(total: number): SingleBar {
  const format = 'the frozen part {bar} {percentage} % of {total} samples';
  const bar = new SingleBar({ stream: process.stderr, format, clearOnComplete: true, hideCursor: true });
  bar.start(total, 0);
  return bar;
}

/** The share of the steps' time spent waiting for data; empty if no step was taken. */
export function describeWaiting(history: readonly EpochRecord[]): string {
  const training = history.reduce((sum, { trainSeconds = 0 }) => sum + trainSeconds, 0);
  const waiting = history.reduce((sum, { waitSeconds = 0 }) => sum + waitSeconds, 0);
  return training === 0 ? '' : `; ${percent(waiting / training)} % of the training time waited for data`;
}

function epochLine(record: EpochRecord): string {
  const { arm, epoch, phase, trainLoss, collapse, balancedAccuracy, macroF1, validationLoss } = record;
  const judged = `balanced accuracy ${percent(balancedAccuracy)} %, macro-F1 ${percent(macroF1 ?? Number.NaN)} %, cross-entropy ${formatNumber(validationLoss)}`;
  if (trainLoss === null) return `before training: ${judged}`;
  return `${printable(arm)} epoch ${epoch} (${phase === 'first' ? 'first phase' : 'the loss'}): loss ${formatNumber(trainLoss)}, ${judged}${collapse === undefined ? '' : `. The model has collapsed: ${collapse}`}`;
}

/** Seconds as 1:02:03 or 4:05. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
