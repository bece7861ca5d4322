import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { longTailRows } from '../../src/data/longTail.ts';
import { labelsOf } from '../../src/data/split.ts';
import { openData } from '../../src/index.ts';

export interface Setup {
  /** A folder with train/CLASS/ and test/CLASS/. */
  readonly data: string;
  readonly out: string;
  readonly python: string;
  readonly seed: number;
  readonly threads: number;
}

export const REFERENCE: string = fileURLToPath(new URL('reference.py', import.meta.url));
const RATIO = 100;
const SHOWN = 100;

/** The training images of the long tail, cut once, so that a run that goes on reads 12,406 images and not 50,000. */
export async function tailOf({ data, out, seed }: Setup): Promise<string> {
  const folder = join(out, 'tail');
  if (existsSync(folder)) return folder;
  const all = await openData(join(data, 'train'));
  const labels = await labelsOf(all);
  all.close();
  const files = filesOf(join(data, 'train'));
  if (files.length !== labels.length) throw new Error(`${files.length} files, ${labels.length} images`);
  const rows = longTailRows(labels, { ratio: RATIO, type: 'exp', seed });
  copyFiles(
    Array.from(rows, (row) => files[row] ?? ''),
    join(data, 'train'),
    folder,
  );
  return folder;
}

/** A tenth of the test images, for the curve. */
export function monitorOf({ data, out }: Setup): string {
  const folder = join(out, 'monitor');
  if (existsSync(folder)) return folder;
  const seen = new Map<string, number>();
  const files = filesOf(join(data, 'test')).filter((file) => {
    const name = file.slice(0, file.indexOf('/'));
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return (seen.get(name) ?? 0) <= SHOWN;
  });
  copyFiles(files, join(data, 'test'), folder);
  return folder;
}

/** The initial weights, by PyTorch. */
export function modelOf({ out, python, seed }: Setup): string {
  const path = join(out, `resnet32-${seed}.onnx`);
  if (!existsSync(path)) execFileSync(python, [REFERENCE, 'export', String(seed), path]);
  return path;
}

/** CLASS/NAME of every image, in the order in which `openData` has them. */
function filesOf(folder: string): string[] {
  const sorted = (path: string): string[] => readdirSync(path).sort();
  return sorted(folder).flatMap((name) => sorted(join(folder, name)).map((file) => `${name}/${file}`));
}

function copyFiles(files: readonly string[], from: string, to: string): void {
  const temporary = `${to}.${process.pid}`;
  for (const file of files) {
    mkdirSync(join(temporary, file, '..'), { recursive: true });
    copyFileSync(join(from, file), join(temporary, file));
  }
  renameSync(temporary, to);
}
