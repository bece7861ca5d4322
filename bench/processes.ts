import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Settings } from './section.ts';
import { type Job, modelOf, type Timing } from './works.ts';

const run = promisify(execFile);
/** A process that takes longer hangs. */
const TIMEOUT = 240_000;
const REFERENCE: string = fileURLToPath(new URL('train_reference.py', import.meta.url));

/** Our side of a work, in a process of its own. */
export async function timeOurs(job: Job, { build }: Settings): Promise<Timing> {
  return JSON.parse(await lastLine(process.execPath, [build.file('child.js'), JSON.stringify(job)]));
}

/** PyTorch's side, likewise. */
export async function timeTorch({ work, threads, rounds, batch }: Job, steps: number, python: string): Promise<Timing> {
  const numbers = [threads, rounds, batch, steps].map(String);
  return JSON.parse(await lastLine(python, [REFERENCE, 'time', work, ...numbers]));
}

/** The last line that a program prints. What it says of errors is passed on. */
export async function lastLine(program: string, args: readonly string[]): Promise<string> {
  const options = { timeout: TIMEOUT, maxBuffer: 2 ** 26 };
  const { stdout, stderr } = await run(program, args, options);
  process.stderr.write(stderr);
  return stdout.trim().split('\n').at(-1) ?? '';
}

/** Has PyTorch export the model of a work, where it is not there yet. @returns its path. */
export async function modelFile(work: string, { python, models }: Settings): Promise<string> {
  const name = modelOf(work);
  if (name === undefined) return '';
  const path = join(models, `${name}.onnx`);
  if (!existsSync(path)) await lastLine(python, [REFERENCE, 'export', models, name]);
  return path;
}
