import { modelFile, timeOurs, timeTorch } from './processes.ts';
import { type Compared, digits, type Results, type Spread, spreadOf } from './results.ts';
import { marked, type Section, type Settings, section, shown } from './section.ts';
import { type Job, type Timing, WORKS, type Work, workNamed } from './works.ts';

/** In the forms of this machine's runtime, or in the plain ones that files hold: its limits. */
const KINDS = {
  torch: {
    title: 'Against PyTorch',
    lower: 'auto',
    memory: 1,
    limit: ({ limit }: Work): number | undefined => limit,
  },
  plain: {
    title: 'The same in plain forms (`--lower off`)',
    lower: 'off',
    memory: 1.5,
    limit: ({ plainLimit }: Work): number | undefined => plainLimit,
  },
} as const;

const HEAD = [
  'work',
  'batch',
  'ours, ms',
  'PyTorch, ms',
  'ratio',
  'at most',
  'MiB, ours : PyTorch',
  'ratio',
  'at most',
];

export function comparison(kind: keyof typeof KINDS, results: Results, settings: Settings): Section {
  const { title, lower, memory, limit } = KINDS[kind];
  const names = Object.entries(WORKS).flatMap(([name, work]) => (limit(work) === undefined ? [] : [name]));
  const ratios = ({ ours, torch, ourMiB, torchMiB }: Compared) => ({
    time: digits(ours.median / torch.median),
    space: digits(ourMiB / torchMiB),
  });
  const limitOf = (name: string): number => limit(workNamed(name)) ?? Number.NaN;
  return section(
    { title, head: HEAD, names, isPlain: lower === 'off', rows: results[kind] },
    {
      measure: (name) => compare(name, lower, settings),
      cells: (row, name) => {
        const { time, space } = ratios(row);
        const miB = `${row.ourMiB} : ${row.torchMiB}`;
        const times = [shown(row.ours), shown(row.torch), marked(time, limitOf(name)), `${limitOf(name)}`];
        return [workNamed(name).title, `${row.batch}`, ...times, miB, marked(space, memory), `${memory}`];
      },
      missed: (row, name) => {
        const { time, space } = ratios(row);
        const slow = time > limitOf(name) ? [`${time} of PyTorch's time, at most ${limitOf(name)}`] : [];
        return space > memory ? [...slow, `${space} of PyTorch's memory, at most ${memory}`] : slow;
      },
    },
  );
}

/** Both sides in turns, each time in a process of its own. */
async function compare(name: string, lower: Job['lower'], settings: Settings): Promise<Compared> {
  const work = workNamed(name);
  const job = jobOf(name, lower, settings);
  await modelFile(name, settings);
  const ours: Timing[] = [];
  const torch: Timing[] = [];
  for (let turn = 0; turn < settings.turns; turn++) {
    torch.push(await timeTorch(job, work.steps ?? 1, settings.python));
    ours.push(await timeOurs(job, settings));
  }
  const peak = (timings: readonly Timing[]): number => digits(Math.max(...timings.map(({ rss }) => rss)) / 2 ** 20);
  const ms = (timings: readonly Timing[]): Spread => spreadOf(timings.flatMap((timing) => timing.ms));
  return { batch: job.batch, ours: ms(ours), torch: ms(torch), ourMiB: peak(ours), torchMiB: peak(torch) };
}

export function jobOf(work: string, lower: Job['lower'], { threads, rounds, models, batch }: Settings): Job {
  const { shape, rounds: times = 1 } = workNamed(work);
  return { work, batch: batch ?? shape[0] ?? 1, rounds: rounds * times, threads, lower, models };
}
