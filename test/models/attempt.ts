/**
 * `tsx attempt.ts FOLDER`: for each model file that a line of stdin names (relative to FOLDER) opens, inspects and augments it and
 * writes the result. Prints per model a line of JSON, an {@link Attempt}. In a process of its own, so that a crash of native code is seen.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { augment, inspect, LossgraftError, open } from '../../src/index.ts';

/** One bit of one byte. */
export interface Flip {
  readonly at: number;
  readonly bit: number;
}

export interface Attempt {
  readonly model: string;
  /** `ok`, the code of a LossgraftError, or `defect: ` and another error's stack. */
  readonly outcome: string;
  readonly message: string;
  /** Of the processor: others may keep it busy. */
  readonly milliseconds: number;
  /** Mebibytes, the most so far. */
  readonly memory: number;
  /** Files that were left where the result should be, after a failure. */
  readonly left: readonly string[];
}

async function attempt(folder: string, model: string): Promise<Attempt> {
  const out = join(folder, 'out');
  const begin = process.cpuUsage();
  const error = await useAll(join(folder, model), join(out, 'augmented.onnx')).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const milliseconds = process.cpuUsage(begin).user / 1000;
  const files = readdirSync(out);
  for (const file of files) rmSync(join(out, file));
  return {
    model,
    outcome: outcomeOf(error),
    message: error instanceof Error ? error.message : '',
    milliseconds,
    memory: process.resourceUsage().maxRSS / 1024,
    left: error === undefined ? [] : files,
  };
}

async function useAll(path: string, out: string): Promise<void> {
  const model = await open(path);
  try {
    await inspect(model);
    const augmented = await augment(model, { loss: 'ib' });
    await augmented.write(out, { copyExternalData: true });
    if (!existsSync(out)) throw new Error('nothing was written');
  } finally {
    model.close();
  }
}

function outcomeOf(error: unknown): string {
  if (error === undefined) return 'ok';
  if (error instanceof LossgraftError) return error.code;
  return `defect: ${error instanceof Error ? error.stack : String(error)}`;
}

function flip(folder: string, bytes: Uint8Array, { at, bit }: Flip): string {
  const flipped = Uint8Array.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
  writeFileSync(join(folder, 'flipped.onnx'), flipped);
  return 'flipped.onnx';
}

const [folder = '.', original] = process.argv.slice(2);
const lines = readFileSync(0, 'utf8').split('\n');
const bytes = original === undefined ? undefined : readFileSync(original);
for (const line of lines) {
  const model = bytes ? flip(folder, bytes, JSON.parse(line)) : line;
  const result = await attempt(folder, model);
  console.log(JSON.stringify({ ...result, model: line }));
}
