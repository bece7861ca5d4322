import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromBytes } from '../../src/files/bytes.ts';
import { scan } from '../../src/onnx/index.ts';
import { ROOT } from '../support/cli.ts';
import { generator } from '../support/grafted.ts';
import type { Attempt, Flip } from './attempt.ts';

export interface Run {
  readonly attempts: readonly Attempt[];
  /** How the process ended: 0, or a number or a signal that says that it crashed. */
  readonly exit: number | string | null;
  readonly stderr: string;
}

/** Runs attempt.ts over models (or over flips of one model) in a child process. */
export function attemptAll(folder: string, lines: readonly string[], original?: string): Promise<Run> {
  mkdirSync(join(folder, 'out'), { recursive: true });
  const script = join(import.meta.dirname, 'attempt.ts');
  const args = [
    join(ROOT, 'node_modules/tsx/dist/cli.mjs'),
    script,
    folder,
    ...(original === undefined ? [] : [original]),
  ];
  return new Promise((done) => {
    const child = spawn(process.execPath, args);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.on('close', (code, signal) => {
      const attempts = stdout.split('\n').filter((line) => line.startsWith('{'));
      done({ attempts: attempts.map((line) => JSON.parse(line)), exit: signal ?? code, stderr });
    });
    child.stdin.end(lines.join('\n'));
  });
}

/** Seeded flips, three of four in the structure: outside the payloads of initializers. */
export function seededFlips(bytes: Uint8Array, count: number, seed: number): Flip[] {
  const payloads = scan(fromBytes(bytes, 'model')).graph.initializers.flatMap(({ payload }) =>
    payload.kind === 'raw' ? [payload] : [],
  );
  const isWeight = (at: number): boolean => payloads.some(({ offset, length }) => offset <= at && at < offset + length);
  const structure = Array.from(bytes.keys()).filter((at) => !isWeight(at));
  const random = generator(seed);
  return Array.from({ length: count }, () => {
    const places = random() < 0.75 ? structure : undefined;
    const i = Math.floor(random() * (places ?? bytes).length);
    return { at: places?.[i] ?? i, bit: Math.floor(random() * 8) };
  });
}
