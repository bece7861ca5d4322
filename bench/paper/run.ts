/**
 * The paper's table: Park et al., "Influence-Balanced Loss for Imbalanced Visual Classification", ICCV 2021, Table 4. ResNet-32 from its
 * authors' initial weights on long-tailed CIFAR-10 of ratio 100, `recipe: 'ib-cifar'` (200 epochs, batches of 128, crops and flips): IB,
 * IB-Focal and cross-entropy from one seed. Accuracy on the 10,000 test images, last epoch; the paper has CE 70.87, IB 78.26, IB-Focal 79.76.
 *
 *   npx tsx bench/paper/run.ts train   --data CIFAR --out FOLDER [--python PYTHON] [--seed 0] [--threads 2]
 *   npx tsx bench/paper/run.ts compare --data CIFAR --out FOLDER --python PYTHON [--steps 300]
 *
 * CIFAR holds CIFAR-10 as images: train/CLASS/*.png or .jpg (5,000 of each class) and test/CLASS/* (1,000). Nothing is downloaded. `train` takes
 * 38,800 steps, 5 to 9 hours on two cores. It goes on from its last checkpoint where there is one: the same command again, after Ctrl-C,
 * SIGTERM or a crash. `compare` holds the first steps against PyTorch's, from the same weights, with the same batches, crops and flips.
 *
 * The first 100 epochs are cross-entropy for all three, and are trained once. IB and IB-Focal then follow the recipe: the rate cut to a
 * hundredth. Cross-entropy goes on at the full rate until epoch 160, as the authors' does; it begins with the state of epoch 100.
 * Each epoch is judged on 1,000 of the test images, for the curve alone: nothing is chosen by it.
 */
import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { trainAll } from './train.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '300' },
  },
});
const { data, out, python } = values;
if (data === undefined || out === undefined) throw new Error('train | compare --data CIFAR --out FOLDER');
const setup = { data, out, python, seed: Number(values.seed), threads: Number(values.threads) };
if (positionals[0] === 'train') await trainAll(setup);
else if (positionals[0] === 'compare') await compare(setup, Number(values.steps));
else throw new Error('train | compare');
