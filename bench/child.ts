/** One process with our side alone: reads a {@link Job} as JSON from its first argument, prints a {@link Timing} as one line of JSON. */
import { join } from 'node:path';
import { losses } from '../graphs/index.ts';
import { open } from '../src/model.ts';
import { timeEpochs } from './epochs.ts';
import { lossInputs, openForm, timeLoss } from './lossForms.ts';
import { timeSteps } from './steps.ts';
import { type Job, modelOf, type Timing, workNamed } from './works.ts';

const imported = process.memoryUsage().rss;
const job: Job = JSON.parse(process.argv[2] ?? '');
const ms = await time(job);
const rss = process.resourceUsage().maxRSS * 1024 - imported;
console.log(JSON.stringify({ ms, rss } satisfies Timing));

async function time(asked: Job): Promise<number[]> {
  const work = workNamed(asked.work);
  const file = modelOf(asked.work);
  if (file === undefined) return timeIb(asked, work.classes);
  const model = await open(join(asked.models, `${file}.onnx`));
  return work.way === 'step' || work.way === 'loop' ? timeSteps(model, work, asked) : timeEpochs(model, work, asked);
}

async function timeIb({ batch: rows, rounds, threads }: Job, classes: number): Promise<number[]> {
  const { ib: loss } = losses;
  if (!loss) throw new Error('the catalogue has no ib');
  const work = { loss, rows, classes, threads, gradient: true };
  return timeLoss(await openForm(work, 'fused'), lossInputs(work), rounds, work);
}
