import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLine, modelFile } from './processes.ts';
import { digits, type Results, spreadOf, type Waited } from './results.ts';
import { marked, type Section, type Settings, section } from './section.ts';

/** Of the time of steps, in percent. */
const LIMIT = 5;

/** Names of rows: whose work, and what it reads. */
const ROWS: Readonly<Record<string, { readonly work: string; readonly title: string }>> = {
  'fashion-cnn-waiting': { work: 'fashion-cnn', title: 'the Fashion-MNIST CNN, batch 128, IDX files' },
  'jpeg-waiting': {
    work: 'mobilenet_v2',
    title: 'MobileNetV2, head alone, batch 32, a folder of JPEGs of 320×256, resized, cropped to 224×224, flipped',
  },
};

export function waiting(results: Results, settings: Settings): Section {
  const head = ['epochs of `train`', 'seconds of an epoch', 'of them without data, %', 'at most'];
  return section(
    { title: 'Waiting for data', head, names: Object.keys(ROWS), rows: results.waiting },
    {
      measure: (name) => measure(ROWS[name]?.work ?? '', settings),
      cells: ({ epochSeconds, percent }, name) => {
        const title = ROWS[name]?.title ?? '';
        return [title, `${epochSeconds}`, marked(percent, LIMIT), `${LIMIT}`];
      },
      missed: ({ percent }) => (percent > LIMIT ? [`${percent} % of the time without data, at most ${LIMIT}`] : []),
    },
  );
}

/** What bench/waits.ts prints. */
interface Waits {
  readonly epochSeconds: number;
  readonly share: number;
}

async function measure(work: string, settings: Settings): Promise<Waited> {
  await modelFile(work, settings);
  const all: Waits[] = [];
  for (let turn = 0; turn < settings.turns; turn++) all.push(await waitsOf(work, settings));
  const median = (of: (waits: Waits) => number): number => digits(spreadOf(all.map(of)).median);
  return {
    epochSeconds: median(({ epochSeconds }) => epochSeconds),
    percent: median(({ share }) => 100 * share),
  };
}

async function waitsOf(work: string, { build, models }: Settings): Promise<Waits> {
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-bench-'));
  try {
    return JSON.parse(await lastLine(process.execPath, [build.file('waits.js'), work, models, folder]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
