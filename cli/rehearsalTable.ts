import type { Rehearsal } from '../src/index.ts';
import { formatNumber, printable, table } from './io.ts';
import { duration } from './trainReport.ts';

/** Above this many classes only --json shows their counts. */
const SHOWN_CLASSES = 30;

/** What a training would do, and its cost. */
export function describeRehearsal(rehearsal: Rehearsal, files: readonly string[], folder: string): string {
  const { arms, schedule, batchSize, stepsPerEpoch, samples, epochsLeft, estimate } = rehearsal;
  const { train, validation, test } = samples;
  const each = `${many(schedule.epochs, 'epoch')} of ${many(stepsPerEpoch, 'step')}, ${batchSize} samples each`;
  const rest = epochsLeft === arms.length * schedule.epochs ? '' : `; ${many(epochsLeft, 'epoch')} left in all`;
  const rows = [
    ['loss', `${arms.map(printable).join(', ')}: ${each}${rest}`],
    ['learning rate', `${formatNumber(schedule.rate)}, ${schedule.kind}`],
    ['samples', `${train} train, ${validation} choose and decide${test === null ? '' : `, ${test} judge at the end`}`],
    ['would write', `${files.join(', ')}, where it is better; ${folder}`],
    ['time', describeTime(estimate)],
    ['memory', `about ${size(estimate.memoryBytes)}${usesGpu(rehearsal) ? ', without that of the GPU' : ''}`],
    ['disk', `about ${size(estimate.diskBytes)} in ${folder}`],
  ];
  return `${classes(rehearsal)}${table([], rows)}Nothing was written: this was a dry run\n`;
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function describeTime({ seconds, starting, features, training, judging }: Rehearsal['estimate']): string {
  const parts = { starting, 'frozen layers': features, training, judging };
  const shown = Object.entries(parts).filter(([, part]) => part >= 0.5);
  const list = shown.map(([name, part]) => `${name} ${duration(part)}`).join(', ');
  return `about ${duration(seconds)}${list === '' ? '' : ` (${list})`}, by a few steps on this machine`;
}

function classes({ classNames, classCounts }: Rehearsal): string {
  if (classCounts.length > SHOWN_CLASSES) return '';
  const rows = classCounts.map((count, k) => [k, printable(classNames?.[k] ?? String(k)), count]);
  return `${table(['index', 'class', 'training samples'], rows)}\n`;
}

function usesGpu({ record }: Rehearsal): boolean {
  return record.options.provider?.value === 'cuda';
}

function size(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
