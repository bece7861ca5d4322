import type { Trained, Tuned } from '../protocol.ts';
import { button, dialog, download, element, listOf, make } from './dom.ts';
import { inWords } from './problem.ts';
import { recallTable } from './recalls.ts';
import { count, percent, points, size } from './words.ts';

/** What a training came to. */
export function showResult(trained: Trained): void {
  const { decision, notes, recalls, report } = trained;
  element('result-step').hidden = false;
  const isBetter = isOffered(trained);
  element('verdict').textContent =
    `${isBetter ? 'The tuned model is offered' : 'Your model is kept'}: ${inWords(decision?.why ?? '')}.`;
  element('figures').replaceChildren(figures(trained));
  element('recalls').replaceChildren(...(recalls.length > 0 ? [recallTable(trained)] : []));
  element('notes').replaceChildren(...listOf(notes.map(inWords)).children);
  element('written').textContent = '';
  button('report').hidden = report === null;
  button('download').textContent = isBetter ? 'Download the tuned model' : 'Download it anyway…';
}

/** Whether the gate, the command line's own, lets the model through. */
export function isOffered({ decision }: Trained): boolean {
  return decision !== null && decision.taken !== null;
}

function figures({ before, after }: Trained): HTMLElement {
  const change = after !== null && 'change' in after ? after.change : null;
  const shown = [
    ['balancedAccuracy', 'Balanced accuracy, %'],
    ['macroF1', 'Macro-F1, %'],
    ['accuracy', 'Accuracy, %'],
  ] as const;
  const cards = shown.map(([name, title]) => {
    const difference = change?.metrics[name];
    const interval = difference
      ? `${points(difference.difference)} points (${points(difference.low)} to ${points(difference.high)}, 95 %)`
      : '';
    return make(
      'div',
      '',
      make('dt', '', title),
      make('dd', '', `${percent(before?.[name])} → ${percent(after?.[name])}`),
      make('dd', 'small', interval),
    );
  });
  return make('dl', 'figures', ...cards);
}

/** Asks whether a model that was not shown to be better is wanted. */
export function askAnyway({ decision }: Trained): Promise<boolean> {
  const box = dialog('ask');
  element('ask-why').textContent = `${inWords(decision?.why ?? 'The training did not end')}.`;
  box.showModal();
  return new Promise((resolve) => {
    const done = (isWanted: boolean) => () => {
      resolve(isWanted);
      if (box.open) box.close();
    };
    button('ask-yes').onclick = done(true);
    button('ask-no').onclick = done(false);
    box.onclose = done(false);
  });
}

/** Downloads what was written. */
export function handOver({ files, changed, given }: Tuned): void {
  for (const { name, bytes } of files) download(name, bytes, 'application/octet-stream');
  const [first, ...others] = files;
  if (first === undefined) return;
  const more = first.bytes.length - given;
  const differs =
    others.length > 0
      ? `it belongs into one folder with ${others.map(({ name }) => name).join(', ')}, under these names`
      : changed === null || changed.outside > 0
        ? `more than trained weights had to be written anew (${count(Math.abs(more))} bytes ${more < 0 ? 'fewer' : 'more'} than your file)`
        : whatDiffers(changed);
  element('written').textContent = `${first.name}, ${size(first.bytes.length)}: ${differs}.`;
}

/** Of more tensors the first are named. */
const NAMED = 8;

function whatDiffers({ bytes, tensors, added }: NonNullable<Tuned['changed']>): string {
  const names = tensors.length > NAMED ? [...tensors.slice(0, NAMED), '…'] : tensors;
  const metadata = added === 0 ? '' : `, and ${count(added)} bytes of metadata stand behind them`;
  const rest = `Every other byte is yours${metadata}`;
  return `${count(bytes)} bytes differ from your file, in ${count(tensors.length)} trained ${tensors.length === 1 ? 'tensor' : 'tensors'} (${names.join(', ')}). ${rest}`;
}
