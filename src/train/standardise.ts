import { openClassifier, scoreBatches } from '../classifier/classifier.ts';
import { type Dataset, LABELS } from '../data/dataset.ts';
import { preparedFor } from '../data/prepared.ts';
import type { Part } from '../data/samples.ts';
import { selectRows } from '../data/select.ts';
import { isCategory, type Preparation, widthOf } from '../data/tables/preparation.ts';
import { LossgraftError, option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { gate } from '../metrics/gate.ts';
import { argmaxRows } from '../metrics/scored.ts';
import type { Model } from '../model.ts';
import type { Port } from '../runtime/session.ts';
import { spreadRows } from '../trainer/influence.ts';
import { type InputScale, withScaledInputs } from '../transform/scaledInputs.ts';
import type { DividedData } from './data.ts';
import type { TrainOptions } from './options.ts';

/** By input name, as recorded by a run. */
type Scales = Readonly<Record<string, InputScale>>;

interface Basis {
  readonly options: TrainOptions;
  readonly parts: DividedData;
  readonly seed: number;
  /** Whether the data have other classes than the model, so that they cannot judge it. */
  readonly hasOtherClasses: boolean;
}

/**
 * The model with the scales of the training rows in front of it, the record of them, and notes.
 *
 * @throws LossgraftError `standardize` for inputs other than columns of numbers, and a model that is clearly better without.
 */
export async function standardise(
  model: Model,
  ports: readonly Port[],
  { options, parts, seed, hasOtherClasses }: Basis,
): Promise<{
  readonly model: Model;
  readonly settings: { readonly scales: Scales };
  readonly notes: readonly string[];
}> {
  const features = ports.filter(({ name }) => name !== (options.rename?.labels ?? LABELS));
  const scales = await fitScales(parts, features);
  const scaled = await standardised(model, scales);
  const judging = { data: options.data, features, parts, logits: options.logits, seed };
  if (!hasOtherClasses) await refuseScaled(model, scaled, judging);
  const inputs = Object.keys(scales).join(', ');
  const note = `Columns of ${inputs} are standardized with mean and deviation of ${parts.train.rows.length} training rows; the written model does so itself`;
  return { model: scaled, settings: { scales }, notes: [note] };
}

/** Means and deviations of the training rows, in float64, as in scikit-learn's StandardScaler. Zeros and ones of categories stay. */
async function fitScales(parts: Pick<DividedData, 'train' | 'preparation'>, ports: readonly Port[]): Promise<Scales> {
  const inputs = ports.filter(({ dtype, shape }) => dtype === 'float32' && shape?.length === 2);
  if (inputs.length === 0) throw nothing(ports);
  const { train, preparation } = parts;
  const found = await Promise.all(
    inputs.map(
      async (port) => [port.name, await scaleOf(train, port.name, plainColumns(preparation, port.name))] as const,
    ),
  );
  return Object.fromEntries(found);
}

/** The model that takes columns as they are, if a run has scales, from `fitScales` or a run's settings. */
export async function standardised(model: Model, scales: unknown): Promise<Model> {
  if (!isRecord(scales)) return model;
  return withScaledInputs(model, new Map(Object.entries(scales as Scales)));
}

/** Which columns of an input hold numbers; `undefined`: all. */
function plainColumns(preparation: Preparation | undefined, input: string): readonly boolean[] | undefined {
  if (preparation === undefined) return undefined;
  const own = preparation.columns.filter(({ name }) => name === input);
  const columns = own.length > 0 ? own : preparation.columns;
  return columns.flatMap((column) => Array<boolean>(widthOf(column)).fill(!isCategory(column)));
}

const ROWS_AT_ONCE = 4096;

async function scaleOf(part: Part, input: string, arePlain: readonly boolean[] | undefined): Promise<InputScale> {
  const counts = await sums(part, input, () => 1);
  const over = (totals: readonly number[]): number[] => totals.map((total, k) => total / (counts[k] ?? 1));
  const mean = over(await sums(part, input, (value) => value));
  const squares = await sums(part, input, (value, k) => (value - (mean[k] ?? 0)) ** 2);
  const rests = await sums(part, input, (value, k) => value - (mean[k] ?? 0));
  const variances = over(squares.map((square, k) => square - (rests[k] ?? 0) ** 2 / (counts[k] ?? 1)));
  const isPlain = (k: number): boolean => arePlain?.[k] ?? true;
  return {
    mean: mean.map((value, k) => (isPlain(k) ? value : 0)),
    deviation: variances.map((variance, k) => {
      const isFlat = isConstant(variance, mean[k] ?? 0, counts[k] ?? 1);
      return isPlain(k) && !isFlat ? Math.sqrt(variance) : 1;
    }),
  };
}

/** Whether a variance is only rounding, as in scikit-learn's `_is_constant_feature`. */
function isConstant(variance: number, mean: number, n: number): boolean {
  const { EPSILON } = Number;
  return variance <= n * EPSILON * variance + (n * mean * EPSILON) ** 2;
}

/** By column, over all cells that are not missing. */
async function sums(
  { samples, rows }: Part,
  input: string,
  of: (value: number, column: number) => number,
): Promise<number[]> {
  const totals: number[] = [];
  for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
    const { [input]: tensor } = await samples.read(rows.subarray(start, start + ROWS_AT_ONCE));
    const width = tensor?.dims[1] ?? 0;
    for (const [i, value] of Array.from(tensor?.data ?? [], Number).entries()) {
      const k = i % width;
      if (!Number.isNaN(value)) totals[k] = (totals[k] ?? 0) + of(value, k);
    }
  }
  return totals;
}

/** More samples add little. */
const LOOKED_AT = 2000;
/** A smaller difference does not show that the model reads raw columns. */
const CLEAR = 0.05;

interface Looked {
  readonly data: Dataset;
  readonly features: readonly Port[];
  readonly parts: DividedData;
  readonly logits: string | undefined;
  readonly seed: number;
}

/**
 * Scales would break a model that already takes raw columns, and any training would then look like a gain.
 *
 * @throws LossgraftError `standardize` if the model is clearly better without.
 */
async function refuseScaled(model: Model, scaled: Model, looked: Looked): Promise<void> {
  const { parts, seed } = looked;
  const data = preparedFor(looked.data, looked.features, parts.preparation);
  const some = selectRows(data, spreadRows(parts.train, LOOKED_AT, seed));
  const [plain, other] = [await predictedBy(model, some, looked), await predictedBy(scaled, some, looked)];
  const { decision, joint, why } = gate({
    ...plain,
    before: other.after,
    isSafe: false,
    seed,
  });
  if (decision !== 'take' || joint < CLEAR) return;
  throw new LossgraftError({
    code: 'standardize',
    where: model.name,
    expected: 'a model that was trained on standardized columns',
    found: `one that reads columns as they are: without ${option('standardize')}, on training rows, ${why}`,
    hint: `Leave ${option('standardize')} out`,
  });
}

async function predictedBy(model: Model, data: Dataset, { logits }: Looked) {
  const classifier = await openClassifier(model, { logits });
  const [after, labels]: [number[], number[]] = [[], []];
  let classes = 0;
  for await (const batch of scoreBatches(classifier, data, true)) {
    after.push(...argmaxRows(batch.logits, batch.count, batch.classes));
    labels.push(...Array.from(batch.labels, Number));
    classes = batch.classes;
  }
  return { after, labels, classes };
}

function nothing(ports: readonly Port[]): LossgraftError {
  return new LossgraftError({
    code: 'standardize',
    where: 'option standardize',
    expected: 'an input of columns of float32, [N, columns]',
    found: ports.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape?.join(', ')}]`).join('; '),
    hint: `Leave ${option('standardize')} out`,
  });
}
