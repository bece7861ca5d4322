/** The losses for several labels per sample in plain float64, written from the papers' formulas without a thought for speed. */
export interface LabelledRow {
  readonly logits: readonly number[];
  /** 1 for a label that the sample has, else 0. */
  readonly labels: readonly number[];
  /** Σ|h| */
  readonly norm: number;
}

/** What the oracle assumes; the options of the losses are at their defaults. */
export const ORACLE = { counts: [40, 900, 7, 120], samples: 1000 } as const;

const sigma = (x: number): number => (x > 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sum = (values: readonly number[]): number => values.reduce((all, x) => all + x, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

type Oracle = (row: LabelledRow) => number;

const each =
  (term: (z: number, y: number, k: number, row: LabelledRow) => number): Oracle =>
  (row) =>
    mean(row.logits.map((z, k) => term(z, row.labels[k] ?? 0, k, row)));

const bce = each((z, y) => (y === 1 ? softplus(-z) : softplus(z)));

const influence = (row: LabelledRow): number =>
  1000 / (sum(row.logits.map((z, k) => Math.abs(sigma(z) - (row.labels[k] ?? 0)))) * row.norm + 1e-3);

export const ORACLES: Readonly<Record<string, Oracle>> = {
  bce,
  'sigmoid-focal': each((z, y) =>
    y === 1 ? 0.25 * sigma(-z) ** 2 * softplus(-z) : 0.75 * sigma(z) ** 2 * softplus(z),
  ),
  asymmetric: each((z, y) => {
    const q = Math.max(sigma(z) - 0.05, 0);
    return y === 1 ? sigma(-z) * softplus(-z) : q ** 4 * -Math.log1p(-q);
  }),
  'distribution-balanced': each((z, y, k, { labels }) => {
    const rarity = ORACLE.counts.map((n) => 1 / n);
    const share = (rarity[k] ?? 0) / Math.max(sum(rarity.map((r, j) => r * (labels[j] ?? 0))), 1e-30);
    const weight = 0.1 + sigma(10 * (share - 0.2));
    const shifted = z - 0.05 * Math.log(ORACLE.samples / (ORACLE.counts[k] ?? 1) - 1);
    if (y === 1) return 2 * sigma(-shifted) ** 2 * weight * softplus(-shifted);
    return ((2 * weight) / 2) * sigma(2 * shifted) ** 2 * softplus(2 * shifted);
  }),
  zlpr: ({ logits, labels }) =>
    Math.log1p(sum(logits.map((z, k) => (labels[k] === 1 ? Math.exp(-z) : 0)))) +
    Math.log1p(sum(logits.map((z, k) => (labels[k] === 1 ? 0 : Math.exp(z))))),
  'sigmoid-ib': (row) => bce(row) * influence(row),
  'sigmoid-ib-focal': (row) =>
    influence(row) * each((z, y) => (y === 1 ? sigma(-z) * softplus(-z) : sigma(z) * softplus(z)))(row),
};

/** dL/dz of one row by central differences of the oracle. */
export function slopesOf(oracle: Oracle, row: LabelledRow): number[] {
  const step = 1e-5;
  const at = (k: number, by: number): number =>
    oracle({ ...row, logits: row.logits.map((z, j) => (j === k ? z + by : z)) });
  return row.logits.map((_, k) => (at(k, step) - at(k, -step)) / (2 * step));
}
