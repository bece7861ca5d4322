/**
 * `lossgraft train MODEL --data DATA`, nothing else, on twelve tasks: is the model better, and does it do as well as the best method that
 * one would choose by hand in PyTorch? scikit-learn judges both on test data that neither has seen. docs/internals/outcomes.md has what came out.
 *
 *   npx tsx bench/outcomes/run.ts --python PYTHON --sources FOLDER --out FOLDER [--tasks digits,wine] [--seeds 0,1,2] [--seen] [--table FILE]
 *
 * FOLDER of the sources holds `mlbench` (the .rda files of Debian's r-cran-mlbench), `fashion` (dataset-fashion-mnist), `fortunes` and
 * `cifar` (train/CLASS/*, test/CLASS/*). What is there in --out already is not made again. Run `npm run build` first.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Outcome, outcomesPage, type Scores } from './table.ts';

const TASKS = 'digits,wine,cancer,table-98,table-99,letter,shuttle,satellite,fortunes,control,fashion,cifar';
const REFERENCE = fileURLToPath(new URL('reference.py', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Of `train`, where nothing else is said. */
const BATCH = 64;

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    sources: { type: 'string', default: '.' },
    out: { type: 'string', default: 'outcomes' },
    tasks: { type: 'string', default: TASKS },
    seeds: { type: 'string', default: '0,1,2' },
    /** The model before was trained on the same data; otherwise on as many others. */
    seen: { type: 'boolean', default: false },
    table: { type: 'string' },
  },
});

const outcomes = values.seeds
  .split(',')
  .flatMap((seed) => values.tasks.split(',').map((task) => outcomeOf(task, Number(seed))));
const page = outcomesPage(outcomes);
if (values.table === undefined) console.log(page);
else writeFileSync(values.table, page);

function outcomeOf(task: string, seed: number): Outcome {
  const folder = join(values.out, `${task}-${seed}${values.seen ? '-seen' : ''}`);
  mkdirSync(folder, { recursive: true });
  const unit = [task, String(seed), values.sources, folder, values.seen ? 'seen' : 'new'];
  const { counts } = JSON.parse(kept(folder, 'start.json', () => reference('start', ...unit)));
  const ours = JSON.parse(kept(folder, 'ours.json', () => train(folder)));
  const judged = JSON.parse(kept(folder, 'judged.json', () => reference('judge', folder, ours.model)));
  const { epochs, rate } = ours.schedule;
  const arguments_ = [...unit, String(epochs), String(BATCH), String(rate)];
  const methods = kept(folder, 'methods.jsonl', () => reference('methods', ...arguments_));
  const byHand = lines(methods).map((line): { method: string } & Scores => JSON.parse(line));
  console.error(`${task} ${seed}: macro-F1 ${judged.before.macroF1.toFixed(1)} → ${judged.after.macroF1.toFixed(1)}`);
  return { task, seed, counts, written: ours.written, ...judged, byHand };
}

/** As a user would: the model, the data, nothing else. Exit status 1 says that nothing better was found; the model then stays as it is. */
function train(folder: string): string {
  const output = join(folder, 'tuned.onnx');
  const start = join(folder, 'start.onnx');
  const args = [MAIN, 'train', start, '--data', join(folder, 'train.npz'), '-o', output, '--force', '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0 && status !== 1) throw new Error(`${args.join(' ')}: ${stderr}`);
  const { schedule, decision } = JSON.parse(stdout);
  const written = status === 0;
  return JSON.stringify({ written, model: written ? output : start, schedule, decision });
}

function reference(...args: readonly string[]): string {
  return execFileSync(values.python, [REFERENCE, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** The content of a file, which is made where it is missing. */
function kept(folder: string, name: string, make: () => string): string {
  const path = join(folder, name);
  if (!existsSync(path)) writeFileSync(path, make());
  return readFileSync(path, 'utf8');
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
