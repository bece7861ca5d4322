import { dataRows, flagOf, LossgraftError, type Rows, rewriteOptions, trainRows } from '../../src/catalogue.ts';
import type { Failure } from '../protocol.ts';
import { EngineError } from './client.ts';
import { element, make } from './dom.ts';

/** What the page calls the options that messages name. */
const FIELDS: Readonly<Record<string, string>> = {
  batchSize: 'the batch size',
  channels: '“Channels”',
  classes: '“Classes”',
  crop: '“Crop the centre”',
  epochs: '“Epochs”',
  folds: '“Judged on”',
  goal: '“To gain”',
  labelColumn: '“Label column”',
  learningRate: '“Learning rate”',
  mean: '“Mean”',
  resize: '“Resize images to”',
  std: '“Deviation”',
  trainable: '“Train”',
};

const ROWS: Rows = { ...dataRows, ...trainRows };

/** A message in the page's words: other options are those of the command line. */
export function inWords(text: string): string {
  const named = rewriteOptions(text, (key, value) => {
    const field = FIELDS[key];
    const given = value === undefined ? '' : ` ${value}`;
    if (field === undefined) return `${flagOf(key, ROWS[key])}${given} of the command line`;
    return value === undefined ? field : `${field} set to${given}`;
  });
  return named
    .replaceAll('/model/', '')
    .replaceAll('/data/', '')
    .replace(/^\/data$/, 'the samples');
}

/** Shows what went wrong in a box: what was expected, what was found, and what to do. */
export function showProblem(box: string, error: unknown): void {
  const place = element(box);
  place.hidden = false;
  const failure = failureOf(error);
  if ('message' in failure) {
    place.replaceChildren(make('h3', '', 'This is a defect of lossgraft'), make('p', '', failure.message));
    return;
  }
  const rows = [
    ['Expected', failure.expected],
    ['Found', failure.found],
    ['What to do', failure.hint],
  ].flatMap(([term = '', said = '']) => [make('dt', '', term), make('dd', '', inWords(said))]);
  place.replaceChildren(make('h3', '', placeInWords(failure.where)), make('dl', '', ...rows));
}

/** `option epochs` is a field of the page. */
function placeInWords(where: string): string {
  return inWords(where.replace(/^option (\w+)/, (_, key: string) => `\`${key}\``));
}

function failureOf(error: unknown): Failure {
  if (error instanceof LossgraftError) return error.problem;
  return error instanceof EngineError ? error.failure : { message: String(error) };
}

export function clearProblem(box: string): void {
  element(box).hidden = true;
}
