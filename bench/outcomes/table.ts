/** On the test data, in percent. */
export interface Scores {
  readonly macroF1: number;
  readonly balanced: number;
}

/** One task with one seed. */
export interface Outcome {
  readonly task: string;
  readonly seed: number;
  /** Training samples by class. */
  readonly counts: readonly number[];
  /** Whether `train` wrote a model. Otherwise `after` is the model as it was given. */
  readonly written: boolean;
  readonly before: Scores;
  readonly after: Scores;
  /** Standard errors of the differences, by a paired bootstrap. */
  readonly error: Scores;
  readonly byHand: readonly ({ readonly method: string } & Scores)[];
}

const KEYS = ['macroF1', 'balanced'] as const;
/** Of a one-sided interval of 95 %. */
const QUANTILE = 1.64;
/** A difference below this many points is none. */
const LEAST = 0.3;

export function outcomesPage(outcomes: readonly Outcome[]): string {
  const tasks = [...new Set(outcomes.map(({ task }) => task))];
  const unharmed = outcomes.filter((outcome) => KEYS.every((key) => !harmed(outcome, key)));
  return [
    ...['# Outcomes of the default', '', INTRODUCTION, ''],
    '| task | classes, rarest to most common | written | macro-F1 before | after | balanced accuracy before | after | worse |',
    '|---|---|---|---|---|---|---|---|',
    ...tasks.map((task) => row(outcomes.filter((outcome) => outcome.task === task))),
    ...['', `${unharmed.length} of ${outcomes.length} runs are unharmed in both metrics.`, ''],
    ...['## By hand in PyTorch', '', '| method | mean macro-F1 | mean balanced accuracy |', '|---|---|---|'],
    ...methodRows(outcomes),
    '',
  ].join('\n');
}

const INTRODUCTION = `\`lossgraft train MODEL --data DATA\`, with no other option. The model converged by plain cross-entropy on other
samples of the same skewed task, as many as DATA has. Means over the seeds, on test data that took no part; scikit-learn
computes the metrics from the outputs of Python's ONNX Runtime. A run is worse where a metric fell by more than 0.3 points
and 1.64 standard errors of a paired bootstrap. The methods by hand start from the same weights and train on all of DATA
with the rate, epochs and batch size that lossgraft chose; lossgraft judges by a fifth of DATA, then trains on all of it.
\`bench/outcomes/run.ts\` writes this page.`;

function harmed({ before, after, error }: Outcome, key: keyof Scores): boolean {
  return before[key] - after[key] > Math.max(LEAST, QUANTILE * error[key]);
}

function row(runs: readonly Outcome[]): string {
  const [first] = runs;
  if (first === undefined) return '';
  const written = `${runs.filter((run) => run.written).length} of ${runs.length}`;
  const figures = KEYS.flatMap((key) => [
    mean(runs.map((run) => run.before[key])),
    mean(runs.map((run) => run.after[key])),
  ]);
  const worse = KEYS.flatMap((key) =>
    runs.filter((run) => harmed(run, key)).map(({ seed }) => `${key} of seed ${seed}`),
  );
  const counts = `${first.counts.length}, ${Math.min(...first.counts)} to ${Math.max(...first.counts)}`;
  return `| ${[first.task, counts, written, ...figures.map(points), worse.join(', ') || 'none'].join(' | ')} |`;
}

function methodRows(outcomes: readonly Outcome[]): string[] {
  const names = [...new Set(outcomes.flatMap(({ byHand }) => byHand.map(({ method }) => method)))];
  const rows = names.map((name) => ({
    name,
    scores: outcomes.flatMap(({ byHand }) => byHand.filter(({ method }) => method === name)),
  }));
  rows.push({ name: '**lossgraft, default**', scores: outcomes.map(({ after }) => ({ method: '', ...after })) });
  rows.push({ name: 'the model as it was given', scores: outcomes.map(({ before }) => ({ method: '', ...before })) });
  return rows
    .map(({ name, scores }) => ({ name, means: KEYS.map((key) => mean(scores.map((score) => score[key]))) }))
    .toSorted((a, b) => (b.means[0] ?? 0) - (a.means[0] ?? 0))
    .map(({ name, means }) => `| ${[name, ...means.map(points)].join(' | ')} |`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function points(value: number): string {
  return value.toFixed(1);
}
