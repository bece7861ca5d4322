import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** `npm run demo`: a real model, real data, the real command line. */

const root = join(import.meta.dirname, '..');
const out = 'demo-output';
mkdirSync(join(root, out), { recursive: true });

function say(text: string): void {
  process.stdout.write(`\n# ${text}\n`);
}

/** Runs `lossgraft …` in the repository's root; the demo ends where it fails. */
function lossgraft(...args: string[]): void {
  process.stdout.write(`$ lossgraft ${args.join(' ')}\n`);
  const main = join(root, 'dist/cli/main.js');
  const { status } = spawnSync(process.execPath, [main, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 2);
}

const net = `${out}/digits-ib.onnx`;

say('A classifier of handwritten digits, exported by PyTorch: what is it?');
lossgraft('inspect', 'fixtures/digits/model.onnx');

say('Graft the influence-balanced loss onto it, for the long-tailed counts of its training data.');
const counts = ['--class-counts', 'fixtures/digits/counts.json'];
lossgraft('augment', 'fixtures/digits/model.onnx', '-o', net, '--loss', 'ib', ...counts, '--force');

say('Run it over the 416 training images: the rarer a digit, the larger its loss.');
lossgraft('run', net, '--data', 'fixtures/digits/train.npz', '--csv', `${out}/samples.csv`, '--force');

say('Fine-tune it on images that were collected since: half of them train, half decide; class weights beside it.');
const data = ['--data', 'fixtures/digits/more.npz', '--validation', '0.5', '--test', 'fixtures/digits/test.npz'];
lossgraft('train', 'fixtures/digits/model.onnx', '-o', `${out}/tuned.onnx`, ...data, '--baseline', '--force');
say(`The report of that run, a page to open in a browser: ${join(root, out, 'tuned.run/report.html')}`);

say("All losses on that model and real images, against PyTorch's float64 answers.");
lossgraft('validate', 'fixtures/cases/digits');

say('And over a grid of weights, options, sizes, opsets and extreme values.');
lossgraft('validate', 'fixtures/cases/loss', '--summary');

say(
  `The augmented model, the tuned one and the samples' losses are in ${relative(process.cwd(), join(root, out)) || '.'}/.`,
);
