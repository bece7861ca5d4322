import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFile } from './processes.ts';
import { type Results, type Started, spreadOf } from './results.ts';
import { type Section, type Settings, section, shown } from './section.ts';

const LIMIT = 6;

const ROWS: Readonly<Record<string, string>> = {
  'first-start': 'ResNet-50, 224×224, batch 8, all trainable, where nothing is known of machine and network',
  start: 'the same once more',
};

export function start(results: Results, settings: Settings): Section {
  const head = ['from the start of the process to the end of the first step', 'seconds', 'at most'];
  return section(
    { title: 'Start', head, names: Object.keys(ROWS), rows: results.start },
    {
      measure: (name) => measure(name === 'first-start', settings),
      cells: ({ seconds }, name) => {
        const time = seconds.median > LIMIT ? `**${shown(seconds)}**` : shown(seconds);
        return [ROWS[name] ?? '', time, `${LIMIT}`];
      },
      missed: ({ seconds }) => (seconds.median > LIMIT ? [`${seconds.median} s, at most ${LIMIT}`] : []),
    },
  );
}

async function measure(isFirst: boolean, settings: Settings): Promise<Started> {
  const model = await modelFile('resnet50', settings);
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-bench-'));
  const seconds: number[] = [];
  try {
    if (!isFirst) await startOnce(model, folder, settings);
    for (let turn = 0; turn < settings.turns; turn++) {
      if (isFirst) rmSync(join(folder, 'lossgraft'), { recursive: true, force: true });
      seconds.push(await startOnce(model, folder, settings));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { seconds: spreadOf(seconds) };
}

/** @param folder of the run, and of what is kept of machine and networks. */
async function startOnce(model: string, folder: string, { build }: Settings): Promise<number> {
  const begin = performance.now();
  const child = spawn(process.execPath, [build.file('firstStep.js'), model, join(folder, 'run')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_CACHE_HOME: folder },
  });
  const gone = once(child, 'exit');
  const early = gone.then(([code]) => Promise.reject(new Error(`it left with ${code} before a step`)));
  await Promise.race([once(child.stdout, 'data'), early]);
  const seconds = (performance.now() - begin) / 1000;
  early.catch(() => undefined);
  await gone;
  return seconds;
}
