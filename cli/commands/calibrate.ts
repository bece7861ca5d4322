import { calibrateRows, dataRows, flag, METRICS, pick } from '../../src/catalogue.ts';
import type { CalibrationReport, MetricName } from '../../src/index.ts';
import { command } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { STATUS } from '../failure.ts';
import { headOf, percent, signed } from '../figures.ts';
import { fileRows } from '../fileOptions.ts';
import { formatNumber, note, noteOnce, print, printable, printJson, table } from '../io.ts';
import { checkOutput } from '../output.ts';
import { type Opening, throughSamples } from '../throughSamples.ts';

const rows = {
  ...fileRows('The calibrated model to write'),
  ...dataOptionRows,
  writeAnyway: flag('Write the calibrated model even if it is not shown to be better than the given one', {
    first: true,
  }),
  ...calibrateRows,
} as const;

/** lossgraft calibrate */
export const calibrateCommand = command({
  name: 'calibrate',
  describe:
    'Better decisions or probabilities without training: logit adjustment, temperature, a bias for each class, or normalised weights, fitted on data',
  rows,
  examples: [
    ['calibrate net.onnx --data validation.npz -o calibrated.onnx', 'logit adjustment, τ fitted for macro-F1'],
    [
      'calibrate net.onnx --data validation.npz -o calibrated.onnx --method temperature',
      'probabilities that match how often they are right',
    ],
    [
      'calibrate net.onnx --data validation.npz -o calibrated.onnx --method biases --goal cost --cost-matrix costs.csv',
      'decisions that cost less',
    ],
  ],
  epilogue:
    'Use data that the model was not trained on. The report judges each sample by a fit on the others. If the model is not shown to ' +
    'be better on them, nothing is written and the status is 1, as with train.',
  run: async ({ options, json }, lossgraft) => {
    const { model: path, data: dataPath, output, force = false, writeAnyway: anyway = false, labels } = options;
    const inputs = [path, dataPath, ...(labels === undefined ? [] : [labels])];
    checkOutput(lossgraft, output, { force, inputs });
    const sources = {
      models: (open: Opening) => open(path),
      data: dataPath,
      options: pick(dataRows, options),
    };
    await throughSamples(lossgraft, sources, async ({ models: model, data, onProgress }) => {
      const { onNote, noteRest } = noteOnce();
      const own = { ...pick(calibrateRows, options), onNote, onProgress };
      const { report, write } = await lossgraft.calibrate(model, data, own);
      noteRest(report.notes);
      const isWritten = report.decision.decision === 'take' || anyway;
      if (isWritten) await write(output, { force, anyway });
      const done = isWritten ? `written ${output}` : 'nothing is written';
      await (json
        ? printJson({ ...report, output: isWritten ? output : null })
        : print(`${describe(report)}${done}\n`));
      if (isWritten) return;
      note(`${output} is not written: ${report.decision.why}; --write-anyway writes it`);
      process.exitCode = STATUS.failed.code;
    });
  },
});

const names = Object.keys(METRICS) as MetricName[];

function describe(report: CalibrationReport): string {
  const { before, after, folds, samples, data } = report;
  const body = names.flatMap((name) => {
    const change = after.change?.metrics[name];
    if (!change) return [];
    const { first, second, difference, low, high, better } = change;
    const verdict = low > 0 || high < 0 ? (better > 0.5 ? 'better' : 'worse') : 'the data cannot show a difference';
    const figures = [first, second].map((value) =>
      METRICS[name].isShare ? percent(value) : Number(value.toPrecision(4)),
    );
    return [[headOf(name), ...figures, ...[difference, low, high].map((value) => signed(name, value)), verdict]];
  });
  const judged = `${printable(data)}, ${samples} samples, each judged by a fit on the other ${folds - 1} of ${folds} parts\n`;
  return `${what(report)}\n${judged}${table(['metric', 'before', 'after', 'difference', 'from', 'to', ''], body)}\n${byClass(report, before, after)}`;
}

function what({ method, parameter, into, names: changed, goal, areProbabilities }: CalibrationReport): string {
  const parameters = { temperature: 'temperature', 'logit-adjustment': 'τ', 'tau-norm': 'τ', biases: '' };
  const found = parameter === null ? '' : ` with ${parameters[method]} ${formatNumber(parameter)}`;
  const forGoal = goal === null ? '' : `, for ${goal}`;
  const where =
    into === 'nodes'
      ? `${changed.length} node${changed.length === 1 ? '' : 's'} behind the ${areProbabilities ? 'probabilities' : 'scores'}`
      : `${changed.map((name) => printable(name)).join(' and ')}; every other byte stays`;
  return `${method}${found}${forGoal}, in ${changed.length === 0 ? 'nothing: the model is unchanged' : where}`;
}

const SHOWN_CLASSES = 30;

type Figures = CalibrationReport['before'];

function byClass(
  { scale, offset, classNames, areProbabilities }: CalibrationReport,
  before: Figures,
  after: Figures,
): string {
  if (scale.length > SHOWN_CLASSES) return '';
  const body = scale.map((factor, k) => [
    classNames?.[k] ?? k,
    Number(factor.toPrecision(4)),
    Number((offset[k] ?? 0).toPrecision(4)),
    ...[before.recall[k], after.recall[k], before.classes?.precision[k], after.classes?.precision[k]].map(percent),
  ]);
  const head = ['class', 'times', 'plus', 'recall % before', 'after', 'precision % before', 'after'];
  return `By class: what its ${areProbabilities ? 'log probability' : 'logit'} is multiplied by, and what is added\n${table(head, body)}`;
}
