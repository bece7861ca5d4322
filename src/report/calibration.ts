import type { CalibrationRecord } from '../records/calibration.ts';
import type { Candidate } from '../records/decision.ts';
import { number } from './format.ts';
import { type Html, html } from './html.ts';
import { folded, table } from './look.ts';
import type { Report } from './report.ts';

/** For the written model, or the first candidate. */
export function calibrationOf({ decision }: Report): CalibrationRecord | undefined {
  const { taken = null, candidates = [] } = decision ?? {};
  const found = taken ? candidates.find(({ arm, share }) => arm === taken.arm && share === taken.share) : candidates[0];
  return found?.calibration;
}

/** A suffix of a model's name. */
export function calibratedWord({ calibration }: Pick<Candidate, 'calibration'>): string {
  return calibration?.decision === 'take' ? ', calibrated' : '';
}

/** How the scores were calibrated, or why they were not. */
export function calibrationFigure(report: Report): Html | null {
  const found = calibrationOf(report);
  if (found === undefined) return null;
  const { method, parameter, decision, why } = found;
  const isPart = decision === 'take';
  const value = parameter === null ? '' : `, ${method === 'temperature' ? 'temperature' : 'τ'} ${number(parameter)}`;
  const what = isPart
    ? `By ${method}${value}, fitted on the validation data after training. It is a part of the model and of its figures.`
    : `Left out: ${method}${value} is not shown to help.`;
  return html`<figure><figcaption><h3>Calibration</h3><p>${what} On samples that it was not fitted on, against the trained model: ${why}.</p></figcaption>${isPart && method !== 'temperature' && folded('What is added to each score', offsets(report, found))}</figure>`;
}

const MAX_TABLE = 2000;

function offsets({ classes }: Report, { offset }: CalibrationRecord): Html {
  const rows = classes.slice(0, MAX_TABLE).map(({ name, count }, k) => [name, number(count), number(offset[k])]);
  const heads = [{ head: 'class', isText: true }, { head: 'training samples' }, { head: 'added' }];
  const left = classes.length - rows.length;
  return table(`Added to the scores${left > 0 ? `: the first ${MAX_TABLE} classes` : ''}`, heads, rows);
}
