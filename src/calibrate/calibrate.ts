import { type Placement, placeMap } from '../calibration/apply.ts';
import { crossValidate, FOLDS } from '../calibration/crossValidate.ts';
import type { CalibrationDecision } from '../calibration/decide.ts';
import { type Fitted, fitTau, type Goal, type Sample } from '../calibration/fit.ts';
import { countsOf, fitMethod, metricOf, ofOneScore } from '../calibration/methods.ts';
import { countsInOrder } from '../classes/countsByName.ts';
import { openClassifier } from '../classifier/classifier.ts';
import type { Dataset } from '../data/dataset.ts';
import { labelsShown } from '../data/labelsShown.ts';
import { LossgraftError, option } from '../errors.ts';
import { METRICS, type MetricName, metricNamed } from '../metrics/metrics.ts';
import { type OpenedModel, opened } from '../model.ts';
import { checkOptions } from '../options/check.ts';
import type { DetailedMetrics } from '../records/metrics.ts';
import { calibrateRows } from '../tables/calibrate.ts';
import { type Affine, type LinearHead, linearHead, normsOf } from '../tuned/head.ts';
import type { WriteOptions } from '../write.ts';
import { checkSizes, checkTogether, type OrderedOptions } from './checks.ts';
import { calibrateLabels } from './labels.ts';
import type { CalibrateOptions, CalibrationReport } from './report.ts';
import { readSample } from './sample.ts';

export type { CalibrateOptions, CalibrationReport } from './report.ts';

/** A calibrated model, not yet written. */
export interface Calibrated {
  readonly report: CalibrationReport;
  /**
   * Writes it to a new file.
   *
   * @param options `anyway` writes it even if the decision is not `take`.
   * @throws LossgraftError `not-better` if it is not shown to be better, `output-exists` if the file exists and `force` is not set, and
   * those of writing.
   */
  write(path: string, options?: WriteOptions & { readonly anyway?: boolean }): Promise<void>;
}

/** See src/laterVerbs.ts. */
export async function calibrate(
  given: OpenedModel,
  data: Dataset,
  options: CalibrateOptions = {},
): Promise<Calibrated> {
  checkOptions(calibrateRows, options);
  const { method = calibrateRows.method.default, goal = calibrateRows.goal.default } = options;
  checkTogether(options, method, goal);
  const model = opened(given);
  const classNames = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  const task = (await labelsShown(data)) === 'multi-hot' ? 'multi-label' : undefined;
  const classifier = await openClassifier(model, { logits: options.logits, classNames, task });
  if (classifier.task === 'multi-label') {
    const { report, placement } = await calibrateLabels(model, classifier, data, options);
    return calibrated(report, placement);
  }
  const { classCounts: counts, ...others } = options;
  const ordered: OrderedOptions =
    counts === undefined ? others : { ...others, classCounts: countsInOrder(counts, classifier.names) };
  const read = await readSample(classifier, data, options);
  const { sample, names, areProbabilities } = read;
  checkSizes(ordered, sample, method);
  const { graph, scores } = classifier;
  const isBinary = classifier.form === 'binary';
  const head = areProbabilities ? undefined : linearHead(model, graph, scores, isBinary ? 1 : sample.classes);
  const norms = method === 'tau-norm' ? normsAndBias(head, sample.classes, model.name) : undefined;
  const fitTo = (part: Sample): Fitted => fitted(part, ordered, norms);
  const found = fitTo(sample);
  const map = isBinary ? ofOneScore(found) : found;
  const placement = placeMap({ model, graph, scores, areProbabilities, head, map });
  const { folds = FOLDS, seed = calibrateRows.seed.default, costs } = options;
  const metric = metricOf(method, goal);
  const trainCounts = countsOf(sample);
  const asked = { sample, given: read.given, classNames: names, trainCounts, metric, folds, seed, costs, fitTo };
  const { decision, before, after } = crossValidate(asked);
  const report: CalibrationReport = {
    model: model.name,
    data: data.name,
    samples: sample.labels.length,
    method,
    goal: method === 'temperature' ? null : goal,
    classNames: names ?? null,
    parameter: found.parameter,
    areProbabilities,
    scale: [...found.scale],
    offset: [...found.offset],
    into: placement.into,
    names: placement.names,
    folds,
    before,
    after,
    decision,
    notes: [...read.notes, ...placement.notes, ...verdictOn(after, metric)],
  };
  return calibrated(report, placement);
}

function calibrated(report: CalibrationReport, placement: Placement): Calibrated {
  const { decision } = report;
  return {
    report,
    write: async (path, { anyway = false, ...how } = {}) => {
      if (decision.decision !== 'take' && !anyway) throw notBetter(path, decision);
      placement.write(path, how);
    },
  };
}

type Norms = { readonly norms: Float64Array; readonly bias: Float64Array };

function fitted(sample: Sample, options: OrderedOptions, norms: Norms | undefined): Fitted {
  const { method = calibrateRows.method.default, tau, classCounts } = options;
  const goal = goalOf(options);
  if (norms) return fitTau(sample, goal, tau, (each) => normalised(norms, each));
  if (method === 'tau-norm') throw new Error('there are no norms');
  return fitMethod(sample, { method, goal, tau, counts: classCounts ?? countsOf(sample) });
}

function goalOf({ goal = calibrateRows.goal.default, costs }: Pick<CalibrateOptions, 'goal' | 'costs'>): Goal {
  return { metric: metricNamed(goal), costs };
}

/**
 * (z − b) / ‖w‖^τ + b: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020; the mean of the
 * norms stays.
 */
function normalised({ norms, bias }: Norms, tau: number): Affine {
  const mean = norms.reduce((sum, norm) => sum + norm, 0) / norms.length;
  const scale = norms.map((norm) => (mean / norm) ** tau);
  return { scale, offset: bias.map((b, k) => b * (1 - (scale[k] ?? 1))) };
}

/** The note if other samples do not confirm the gain. */
function verdictOn(after: DetailedMetrics, metric: MetricName): string[] {
  const change = after.change?.metrics[metric];
  const { title, better } = METRICS[metric];
  if (!change) return [];
  const [low, high] = better === 'higher' ? [change.low, change.high] : [-change.high, -change.low];
  if (low > 0) return [];
  const told = high < 0 ? 'it is worse' : 'the data cannot show a difference';
  return [`By ${title}, on samples it was not fitted on, ${told}: the given model may serve as well`];
}

function normsAndBias(head: LinearHead | undefined, classes: number, where: string): Norms {
  const norms = head && normsOf(head);
  if (norms?.length === classes && norms.every((norm) => norm > 0)) {
    const bias = head?.bias?.tensor.data;
    return { norms, bias: bias?.length === classes ? Float64Array.from(bias) : new Float64Array(classes) };
  }
  throw new LossgraftError({
    code: 'no-linear-head',
    where,
    expected: 'a last linear layer in float32 with one row of weights per class, which nothing else reads',
    found: norms === undefined ? 'none before the scores' : `${norms.length} rows for ${classes} classes`,
    hint: `Take another method, such as ${option('method', 'logit-adjustment')}`,
  });
}

function notBetter(where: string, { why }: CalibrationDecision): LossgraftError {
  return new LossgraftError({
    code: 'not-better',
    where,
    expected: 'a model that is better than the given one on samples it was not fitted on',
    found: why,
    hint: 'Use more data, another method or goal, or write it anyway',
  });
}
