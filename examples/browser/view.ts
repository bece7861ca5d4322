import * as Plot from '@observablehq/plot';
import type { Epoch } from './fineTune.ts';
import type { Task } from './task.ts';

export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}`);
  return found;
}

export function button(id: string): HTMLButtonElement {
  const found = element(id);
  if (found instanceof HTMLButtonElement) return found;
  throw new Error(`#${id} is no button`);
}

export async function fetchBytes(name: string): Promise<Uint8Array> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

export function download(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes]));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The browser has the address by then; the memory is given back.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function showProblem(problem: unknown): void {
  element('problem').textContent = problem instanceof Error ? problem.message : String(problem);
}

export function showTask({ loss, train, plan }: Task): void {
  element('name').textContent = loss;
  element('status').textContent =
    `${train.labels.length} training images, ${plan.epochs} epochs in batches of ${plan.batchSize}.`;
  button('train').disabled = false;
}

export function showEpochs(epochs: readonly Epoch[], { plan, counts }: Task): void {
  const [first, last] = [epochs[0], epochs.at(-1)];
  if (!first || !last) return;
  element('results').hidden = false;
  const { epoch, losses, milliseconds, test } = last;
  element('progress').setAttribute('value', String(epoch / plan.epochs));
  element('epoch').textContent = `${epoch} of ${plan.epochs}`;
  element('loss').textContent = losses.at(-1)?.toPrecision(3) ?? '–';
  element('accuracy').textContent = `${percent(test.balancedAccuracy)} %`;
  element('time').textContent = losses.length === 0 ? '–' : (milliseconds / losses.length).toFixed(1);
  showCurve(
    'losses',
    epochs.flatMap((each) => each.losses),
    1,
  );
  showCurve(
    'accuracies',
    epochs.map((each) => 100 * each.test.balancedAccuracy),
    0,
  );
  const rows = counts.map((count, digit) => recallRow(digit, count, [first, last]));
  element('recalls').replaceChildren(...rows);
}

/** A line over whole numbers from `from` on. */
function showCurve(id: string, values: readonly number[], from: number): void {
  const line = Plot.lineY(values, { x: (_, i) => from + i, stroke: 'var(--accent)' });
  const axes = { x: { label: null, tickFormat: 'd' }, y: { label: null, grid: true, nice: true } };
  const look = { width: 360, height: 180, marginLeft: 36, style: { background: 'none', fontSize: '12px' } };
  element(id).replaceChildren(Plot.plot({ marks: [line], ...axes, ...look }));
}

function recallRow(digit: number, count: number, [before, now]: readonly [Epoch, Epoch]): HTMLTableRowElement {
  const row = document.createElement('tr');
  const recall = now.test.recall[digit] ?? 0;
  const bar = Object.assign(document.createElement('progress'), { value: recall, ariaLabel: `Recall of ${digit}` });
  const cells = [String(digit), String(count), percent(before.test.recall[digit] ?? 0), percent(recall), bar];
  for (const content of cells) row.insertCell().append(content);
  return row;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}
