/**
 * Long-tailed data through `lossgraft train`, beside PyTorch on the same initial weights and batch order: balanced accuracy on the test
 * data after the last epoch, the first 100 steps of every loss, the time of an epoch. docs/internals/results.md has what came out.
 *
 *   npx tsx bench/longtail/run.ts STAGE WORK --python PYTHON --data FOLDER --out FOLDER [--seeds 0,1,2] [--threads 2]
 *
 * WORK is fashion (the folder of Debian's dataset-fashion-mnist) or shuttle (the folder that shuttle_csv.py writes). Stages, in this order:
 * `ours`, `reference`, `curves`, `time`, `table`. What is there in --out already is not made again.
 */
import { parseArgs } from 'node:util';
import { curves } from './curves.ts';
import { ours, reference } from './stages.ts';
import { table } from './table.ts';
import { time } from './time.ts';
import { type Setup, works } from './works.ts';

const STAGES: Readonly<Record<string, (setup: Setup) => Promise<void>>> = { ours, reference, curves, time, table };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: 'python3' },
    data: { type: 'string' },
    out: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    threads: { type: 'string', default: '2' },
  },
});
const [stage = '', name = ''] = positionals;
const [work, run] = [works[name], STAGES[stage]];
const { python, data, out, threads } = values;
if (!work || !run || data === undefined || out === undefined) throw new Error('STAGE WORK --data FOLDER --out FOLDER');
const seeds = values.seeds.split(',').map(Number);
await run({ name, work, python, data, out, seeds, threads: Number(threads) });
