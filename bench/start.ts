import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFile } from './processes.ts';
import { type Results, type Started, spreadOf, today } from './results.ts';
import { type Section, type Settings, section, shown } from './section.ts';

const LIMIT = 6;
const NAME = 'resnet50-start';

export function start(results: Results, settings: Settings): Section {
  const head = ['from the start of the process', 'seconds', 'at most', 'date'];
  return section(
    { title: 'Start', head, names: [NAME], rows: results.start },
    {
      measure: () => measure(settings),
      cells: ({ seconds, date }) => [
        'to the end of the first step: ResNet-50, 224×224, batch 8, all trainable',
        seconds.median > LIMIT ? `**${shown(seconds)}**` : shown(seconds),
        `${LIMIT}`,
        date,
      ],
      missed: ({ seconds }) => (seconds.median > LIMIT ? [`${seconds.median} s, at most ${LIMIT}`] : []),
    },
  );
}

async function measure(settings: Settings): Promise<Started> {
  const model = await modelFile('resnet50', settings);
  const seconds: number[] = [];
  for (let turn = 0; turn < settings.turns; turn++) seconds.push(await startOnce(model, settings));
  return { date: today(), seconds: spreadOf(seconds) };
}

async function startOnce(model: string, { build }: Settings): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-bench-'));
  const begin = performance.now();
  const child = spawn(process.execPath, [build.file('firstStep.js'), model, join(folder, 'run')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const gone = once(child, 'exit').then(([code]) => Promise.reject(new Error(`it left with ${code} before a step`)));
    await Promise.race([once(child.stdout, 'data'), gone]);
    return (performance.now() - begin) / 1000;
  } finally {
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}
