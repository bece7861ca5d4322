import type { Inspection } from '../../src/index.ts';
import type { Answers, Checked, OpenedModel } from '../protocol.ts';
import { factsOf, listOf, make, svg } from './dom.ts';
import { inWords } from './problem.ts';
import { count, duration, size } from './words.ts';

/** What the page found in what was dropped. */

export function deviceText({ device, adapter, isSoftware }: Answers['start']): string {
  if (device === 'webgpu') return `WebGPU: ${adapter}${isSoftware ? ', in software: WebAssembly is faster' : ''}`;
  const why = adapter === '' ? ': this browser gives no WebGPU' : isSoftware ? ': WebGPU is in software here' : '';
  return `WebAssembly, one thread${why}`;
}

type Search = Inspection['logits'];
const found = (search: Search): string =>
  'problem' in search ? inWords(search.problem) : `${search.name} (${search.how})`;
const shape = ({ name, dtype, shape: dims }: Inspection['inputs'][number]): string =>
  `${name}: ${dtype} [${dims === null ? 'unknown' : dims.map((dim) => dim ?? '?').join(', ')}]`;

export function modelFacts({ inspection, isPrepared }: OpenedModel): HTMLElement {
  const { file, bytes, opsets, inputs, parameters, classes, classNames, trainable, producer } = inspection;
  const names = classNames?.names ?? [];
  const shownNames = names.length > 24 ? [...names.slice(0, 24), `… (${names.length})`] : names;
  const facts = factsOf([
    ['File', `${file}, ${size(bytes)}, opset ${opsets['ai.onnx'] ?? '?'}${producer === '' ? '' : `, by ${producer}`}`],
    ['Takes', inputs.map(shape).join('; ')],
    ['Scores', found(inspection.logits)],
    ['Classes', classes === null ? 'not known' : count(classes)],
    [
      'In the order',
      classNames
        ? `${shownNames.join(', ')} (from ${inWords(classNames.from)})`
        : 'no names: samples need class indices, or names in the order of the scores',
    ],
    [
      'Weights',
      `${count(parameters)}, ${trainable.problem === null ? `${count(trainable.elements)} of them can be trained` : inWords(trainable.problem)}`,
    ],
    ['Images', isPrepared ? 'prepared as its preprocessor_config.json says' : undefined],
  ]);
  const missing = inspection.missingGradientRules;
  const rules =
    missing.length === 0
      ? []
      : [`No gradient passes ${missing.join(', ')}: what lies before stays frozen. Train the last layer alone`];
  const notes = [...inspection.classNotes, ...rules].map(inWords);
  return make('div', '', facts, ...(notes.length > 0 ? [listOf(notes)] : []));
}

/** What will be done, and what is to be known before. */
export function planFacts(checked: Checked): HTMLElement {
  const { samples, epochs, stepsPerEpoch, seconds, classCounts } = checked;
  const judged = samples.test === null ? '' : `, ${count(samples.test)} judge at the end`;
  const facts = factsOf([
    ['Samples', `${count(samples.train)} train, ${count(samples.validation)} decide${judged}`],
    ['Training', `${epochs} epochs of ${stepsPerEpoch} steps`],
    ['Time', `about ${duration(seconds)}, by a few steps on this machine`],
  ]);
  const most = Math.max(...classCounts);
  const least = Math.min(...classCounts);
  const skew = `The most frequent class has ${count(most)} samples to train on, the rarest ${count(least)}.`;
  return make('div', '', facts, make('p', 'quiet', skew), notesBox(checked.notes));
}

/** With more classes, only the first are listed. */
const SHOWN = 200;

export function classTable({ classCounts, classNames }: Pick<Checked, 'classCounts' | 'classNames'>): HTMLElement {
  const most = Math.max(1, ...classCounts);
  const rows = classCounts.slice(0, SHOWN).map((n, k) => {
    const bar = svg(
      'svg',
      { viewBox: '0 0 200 10', role: 'img', 'aria-label': `${n} samples` },
      svg('rect', { class: 'bar rest', width: 200, height: 10, rx: 3 }),
      svg('rect', { class: 'bar', width: (200 * n) / most, height: 10, rx: 3 }),
    );
    return make(
      'tr',
      '',
      make('th', '', classNames?.[k] ?? String(k)),
      make('td', '', k),
      make('td', '', count(n)),
      make('td', 'chart', bar),
    );
  });
  const head = make('tr', '', ...['Class', 'Index', 'To train on', 'Share'].map((text) => make('th', '', text)));
  const table = make('table', '', make('thead', '', head), make('tbody', '', ...rows));
  const rest = classCounts.length - SHOWN;
  return make(
    'div',
    'table',
    table,
    ...(rest > 0 ? [make('p', 'quiet', `${count(rest)} more classes are not listed here.`)] : []),
  );
}

export function notesBox(notes: readonly string[]): HTMLElement {
  const box = make(
    'details',
    '',
    make('summary', '', `${notes.length} ${notes.length === 1 ? 'note' : 'notes'} on labels, images and method`),
    listOf(notes.map(inWords)),
  );
  box.open = notes.length <= 6;
  return box;
}
