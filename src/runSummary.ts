import { LossgraftError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import type { Tensor } from './tensor.ts';

/** The samples of one class; a sample with several labels counts for each. */
export interface ClassSummary {
  readonly label: number;
  /** `null` where nothing tells it. */
  readonly name: string | null;
  readonly samples: number;
  /** Means of the outputs, by lossgraft's own names: `loss_per_sample`, `ib_factor`. */
  readonly means: Readonly<Record<string, number>>;
}

/** What a run found. */
export interface RunSummary {
  /** Over all samples, summed in float64: their mean, or their sum if the model was augmented with `reduction: 'sum'`. */
  readonly loss: number;
  readonly reduction: 'mean' | 'sum';
  /** By label; classes without samples are absent. */
  readonly classes: readonly ClassSummary[];
  /** In the order of the data; zeros if samples may have several labels. */
  readonly labels: BigInt64Array;
  /** If samples may have several labels: those of each sample. */
  readonly labelSets?: readonly (readonly number[])[];
  /** [samples] each, by lossgraft's own names: `loss_per_sample`, and `ib_factor` for the ib losses. */
  readonly perSample: Readonly<Record<string, Float32Array>>;
  /** Notes for the user: conversions, unused arrays, a padded last batch, non-finite results. */
  readonly notes: readonly string[];
}

/** The model's name for one of lossgraft's. */
export function nameOf(manifest: Manifest, own: string): string {
  return manifest.names.get(own) ?? own;
}

/** What a model gave for samples, by row. */
export interface Collected {
  readonly labels: BigInt64Array;
  /** Instead of these, if samples may have several labels: those of each sample. */
  readonly rows: readonly (readonly number[])[];
  readonly perSample: Readonly<Record<string, Float32Array>>;
  /** Own name to the model's name. */
  readonly outputs: ReadonlyMap<string, string>;
  add(start: number, count: number, targets: Tensor | undefined, results: Readonly<Record<string, Tensor>>): void;
}

export function collector(manifest: Manifest, samples: number): Collected {
  const outputs = new Map([...manifest.names].filter(([own]) => own !== 'labels' && own !== 'loss'));
  const labels = new BigInt64Array(samples);
  const rows: (readonly number[])[] = [];
  const perSample = Object.fromEntries([...outputs.keys()].map((own) => [own, new Float32Array(samples)]));
  const add: Collected['add'] = (start, count, targets, results) => {
    const given = targets?.data;
    if (given instanceof BigInt64Array) labels.set(given.subarray(0, count), start);
    if (given instanceof Float32Array) rows.push(...hotRows(given, count));
    for (const [own, name] of outputs) {
      const data = results[name]?.data;
      if (!(data instanceof Float32Array) || data.length < count) throw wrongOutput(name, count, results[name]);
      perSample[own]?.set(data.subarray(0, count), start);
    }
  };
  return { labels, rows, perSample, outputs, add };
}

function wrongOutput(name: string, count: number, found: Tensor | undefined): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where: `output ${name}`,
    expected: `float32[${count}], one number per sample`,
    found: found === undefined ? 'nothing' : `${found.dtype}[${found.dims.join(', ')}]`,
    hint: 'The model mixes the samples of a batch or was changed after augment; augment the original again',
  });
}

/** The loss over all samples, and means by class. */
export function summarise(
  manifest: Manifest,
  { labels, rows, perSample }: Collected,
  names: readonly string[],
): RunSummary {
  const losses = perSample.loss_per_sample ?? new Float32Array();
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  const reduction = manifest.reduction === 'sum' ? 'sum' : 'mean';
  return {
    loss: reduction === 'sum' ? total : total / losses.length,
    reduction,
    classes: byClass(
      manifest.task === 'multi-label' ? rows : Array.from(labels, (label) => [Number(label)]),
      perSample,
      names,
    ),
    labels,
    ...(manifest.task === 'multi-label' ? { labelSets: rows } : {}),
    perSample,
    notes: notFinite(perSample),
  };
}

/** The labels of each sample. */
function hotRows(hot: Float32Array, count: number): number[][] {
  const width = hot.length / count;
  return Array.from({ length: count }, (_, i) => {
    const own = Array.from(hot.subarray(i * width, (i + 1) * width));
    return own.flatMap((flag, k) => (flag === 1 ? [k] : []));
  });
}

function byClass(
  labels: readonly (readonly number[])[],
  perSample: Readonly<Record<string, Float32Array>>,
  names: readonly string[],
): ClassSummary[] {
  const rows = new Map<number, number[]>();
  for (const [row, own] of labels.entries()) {
    for (const label of own) {
      const found = rows.get(label);
      if (found === undefined) rows.set(label, [row]);
      else found.push(row);
    }
  }
  const sorted = [...rows].sort(([a], [b]) => a - b);
  return sorted.map(([label, members]) => ({
    label,
    name: names[label] ?? null,
    samples: members.length,
    means: Object.fromEntries(
      Object.entries(perSample).map(([own, values]) => [
        own,
        members.reduce((sum, row) => sum + (values[row] ?? 0), 0) / members.length,
      ]),
    ),
  }));
}

function notFinite(perSample: Readonly<Record<string, Float32Array>>): string[] {
  return Object.entries(perSample).flatMap(([own, values]) => {
    const bad = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
    if (bad === 0) return [];
    const first = values.findIndex((value) => !Number.isFinite(value));
    return [`${own} is not finite in ${bad} of ${values.length} samples, first in row ${first} (${values[first]})`];
  });
}
