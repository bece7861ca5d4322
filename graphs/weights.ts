import { defineWeighting } from '../src/contract.ts';

export const none = defineWeighting({
  name: 'none',
  cites: 'plain cross-entropy',
  summary: 'every class weighs 1',
  options: {},
  weights: (counts) => counts.map(() => 1),
});

export const inverse = defineWeighting({
  name: 'inverse',
  cites: 'Park et al., ICCV 2021, equation 6 (IBReweight in their code)',
  summary: 'inverse class frequency 1/n, normalised to mean 1',
  options: {},
  weights: (counts) => counts.map((n) => 1 / n),
});

export const effective = defineWeighting({
  name: 'effective',
  cites: 'Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, equation 4 (CBReweight)',
  summary: 'inverse effective number (1 − β) / (1 − β^n), normalised to mean 1',
  options: {
    beta: {
      kind: 'number',
      default: 0.9999,
      expects: 'a number between 0 and 1, both excluded',
      accepts: (beta) => beta > 0 && beta < 1,
      describe: 'β of the effective number; near 0 all classes weigh the same, near 1 it is the inverse frequency',
    },
  },
  // 1 − β^n cancels where β^n is near 1.
  weights: (counts, { beta }) => counts.map((n) => (1 - beta) / -Math.expm1(n * Math.log(beta))),
});

export const positive = defineWeighting({
  name: 'positive',
  cites: 'torch.nn.BCEWithLogitsLoss, pos_weight',
  summary:
    'two classes: 1 for class 0 and pos_weight for class 1; multi-label: pos_weight for the labels that a sample has; not normalised',
  options: {
    posWeight: {
      kind: 'number',
      default: 0,
      expects: 'a finite number of at least 0',
      accepts: (weight) => weight >= 0 && Number.isFinite(weight),
      describe:
        "class 1's weight, or that of labels that a sample has, as PyTorch's pos_weight; 0: the samples without divided by those with",
    },
  },
  keepsScale: true,
  needsCounts: ({ posWeight }) => posWeight === 0,
  weights: ([negatives = 1, positives = 1], { posWeight }) => [1, posWeight === 0 ? negatives / positives : posWeight],
  positiveWeights: (counts, samples, { posWeight }) => {
    if (posWeight !== 0) return [posWeight];
    return samples === undefined ? undefined : counts.map((n) => (samples - n) / n);
  },
});
