import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { decodeTensor } from '../../src/onnx/index.ts';
import { python, pythonHas } from '../onnx/python.ts';
import type { Tensors } from '../support/grafted.ts';

/** NAME/VARIANT of the zoo: see fixtures/README.md. */
export interface Variant {
  readonly name: string;
  readonly folder: string;
  readonly model: string;
}

/** The folder that LOSSGRAFT_ZOO names. @throws Error saying how to make it. */
export function zooFolder(): string {
  const folder = process.env.LOSSGRAFT_ZOO;
  if (folder !== undefined && existsSync(join(folder, 'written.json'))) return folder;
  const problem = folder === undefined ? 'LOSSGRAFT_ZOO is not set' : `${folder} holds no written.json`;
  throw new Error(
    `${problem}. Let it name a folder that fixtures/pytorch/zoo.py wrote, in a virtual environment with ` +
      'fixtures/pytorch/requirements.txt: python fixtures/pytorch/zoo.py OUT [names…], then the same with --gradients',
  );
}

export function findVariants(): Variant[] {
  const root = zooFolder();
  const written: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(join(root, 'written.json'), 'utf8'));
  return Object.keys(written)
    .sort()
    .map((name) => ({ name, folder: join(root, name), model: join(root, name, 'model.onnx') }));
}

/** The inputs of a network, and the labels. */
export function dataOf({ folder }: Variant): { feeds: Tensors; labels: number[] } {
  const data = join(folder, '..', '_data');
  const tensors = readdirSync(data)
    .sort()
    .map((file) => decodeTensor(readFileSync(join(data, file)), file));
  const labels = tensors.find(({ name }) => name === 'labels')?.tensor.data ?? [];
  const inputs = tensors.filter(({ name }) => name !== 'labels').map(({ name, tensor }) => [name, tensor]);
  return { feeds: Object.fromEntries(inputs), labels: Array.from(labels, Number) };
}

/**
 * Holds a file to onnx.checker's full check, in the Python that LOSSGRAFT_PYTHON names (onnx 1.19 or newer for the newest opsets),
 * else Debian's. Without one, or with one that does not know the opset, the test counts as skipped.
 */
export function expectChecked(bytes: Uint8Array, context: TestContext): void {
  if (!pythonHas('onnx')) context.skip('no Python with onnx: let LOSSGRAFT_PYTHON name one');
  const folder = mkdtempSync(join(tmpdir(), 'zoo-'));
  try {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, bytes);
    const verdict = python('../models/check.py', path).trim();
    if (verdict.startsWith('skip')) context.skip(verdict);
    if (verdict !== 'ok') throw new Error(verdict);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
