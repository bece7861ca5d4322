import { placeMap } from '../calibration/apply.ts';
import { FOLDS } from '../calibration/crossValidate.ts';
import type { Fitted } from '../calibration/fit.ts';
import { fitLabels, type LabelGoal, type LabelSample } from '../calibration/labelFit.ts';
import { crossValidateLabels } from '../calibration/labelValidate.ts';
import type { OpenedClassifier } from '../classifier/classifier.ts';
import { recordedNotes } from '../classifier/recorded.ts';
import type { Dataset } from '../data/dataset.ts';
import { option } from '../errors.ts';
import { DEFAULT_THRESHOLD } from '../metrics/labelled.ts';
import { metricNamed } from '../metrics/metrics.ts';
import type { Model } from '../model.ts';
import { badOption } from '../options/check.ts';
import { calibrateRows } from '../tables/calibrate.ts';
import { linearHead } from '../tuned/head.ts';
import type { CalibrateOptions, CalibrationReport } from './report.ts';
import { labelledScores } from './sample.ts';

/** What was fitted to a multi-label model, and how it gets into the file. */
export interface LabelCalibration {
  readonly report: CalibrationReport;
  readonly placement: ReturnType<typeof placeMap>;
}

/** A map of each label's logit on its own, fitted and judged. @throws LossgraftError `option-range` for what has no meaning for labels. */
export async function calibrateLabels(
  model: Model,
  classifier: OpenedClassifier,
  data: Dataset,
  options: CalibrateOptions,
): Promise<LabelCalibration> {
  const { method, goal } = chosen(options);
  const { sample, names, notes } = await readLabels(classifier, data, options);
  const { folds = FOLDS, seed = calibrateRows.seed.default, tau } = options;
  if (folds < 2) throw badOption('folds', 'at least 2', folds);
  const { classes, hot } = sample;
  const counts = Array.from({ length: classes }, (_, k) =>
    hot.reduce((sum, has, i) => sum + (i % classes === k ? has : 0), 0),
  );
  const total = hot.length / classes;
  const fitTo = (part: LabelSample): Fitted => fitLabels(part, { method, goal, tau, counts, total });
  const found = fitTo(sample);
  const { graph, scores } = classifier;
  const head = linearHead(model, graph, scores, classes);
  const placement = placeMap({ model, graph, scores, areProbabilities: false, head, map: found });
  const metric = method === 'temperature' ? 'logLoss' : goal;
  const { scored: _, ...judged } = crossValidateLabels({ sample, classNames: names, metric, folds, seed, fitTo });
  const report: CalibrationReport = {
    model: model.name,
    data: data.name,
    samples: total,
    method,
    goal: method === 'temperature' ? null : (options.goal ?? calibrateRows.goal.default),
    classNames: names ?? null,
    parameter: found.parameter,
    areProbabilities: false,
    scale: [...found.scale],
    offset: [...found.offset],
    into: placement.into,
    names: placement.names,
    folds,
    ...judged,
    notes: [...notes, ...placement.notes],
  };
  return { report, placement };
}

type LabelMethod = 'biases' | 'temperature' | 'logit-adjustment';

/** Options as they count for labels. */
function chosen(options: CalibrateOptions): {
  readonly method: LabelMethod;
  readonly goal: LabelGoal;
} {
  const { method = calibrateRows.method.default, goal = calibrateRows.goal.default } = options;
  if (method === 'tau-norm')
    throw badOption(
      'method',
      'biases, temperature or logit-adjustment for a multi-label model: no label is compared with another',
      method,
    );
  const metric = metricNamed(goal);
  if (metric !== 'macroF1' && metric !== 'balancedAccuracy')
    throw badOption('goal', 'macro-f1 or balanced for a multi-label model', goal);
  if (options.costs !== undefined) throw badOption('costs', 'exclusive classes', 'a multi-label model');
  if (options.goal !== undefined && method === 'temperature')
    throw badOption('goal', `no goal with ${option('method', method)}, which is fitted for the log loss`, goal);
  if (options.tau !== undefined && method !== 'logit-adjustment')
    throw badOption('tau', `no τ with ${option('method', method)}`, options.tau);
  if (options.classCounts !== undefined)
    throw badOption(
      'classCounts',
      'none for a multi-label model: the data tell how many samples have each label',
      'some',
    );
  return { method, goal: metric };
}

/** The logits and labels of all data, in memory. @throws LossgraftError for too many. */
async function readLabels(
  classifier: OpenedClassifier,
  given: Dataset,
  options: CalibrateOptions,
): Promise<{
  readonly sample: LabelSample;
  readonly names: readonly string[] | undefined;
  readonly notes: readonly string[];
}> {
  const { thresholds } = classifier;
  const recorded = recordedNotes(thresholds);
  const { data, size, notes, batches } = await labelledScores(classifier, given, options, recorded);
  let sample: LabelSample | undefined;
  for await (const { classes, logits, hot, start } of batches) {
    const of = thresholds ?? Array<number>(classes).fill(DEFAULT_THRESHOLD);
    sample ??= {
      logits: new Float64Array(size * classes),
      hot: new Uint8Array(size * classes),
      classes,
      thresholds: of,
    };
    sample.logits.set(Float64Array.from(logits), start * classes);
    sample.hot.set(hot ?? new Float32Array(), start * classes);
  }
  if (sample === undefined) throw new RangeError('no batch');
  return { sample, names: data.classNames, notes };
}
