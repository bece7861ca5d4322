import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { open, openData, type TrainResult, train } from '../../src/index.ts';
import { readOnnx } from '../support/onnxFile.ts';

/** A run in the page, and the same in Node. */

/** Trains shapes.onnx on the images in `shapes` and writes tuned.onnx, all in `folder`. */
export async function trainInNode(folder: string, epochs: number, learningRate: number): Promise<TrainResult> {
  const path = (name: string): string => join(folder, name);
  const model = await open(path('shapes.onnx'));
  const data = await openData(path('shapes'), { model: path('shapes.onnx'), resize: '16x16' });
  const options = { trainable: 'all', goal: 'macro-f1', epochs, learningRate } as const;
  // A page has no forms that are made for this machine's processor.
  const result = await train(model, { ...options, data, folder: path('run'), lower: 'off' });
  await result.write(path('tuned.onnx'), { anyway: true });
  data.close();
  model.close();
  return result;
}

/** Gives the page files as a user chooses them, and waits until it is ready to train. */
export async function give(page: Page, model: string, data: string): Promise<void> {
  await page.setInputFiles('#model-files', model);
  await page.waitForSelector('#model-step.done');
  await page.setInputFiles('#data-files', data);
  await page.waitForSelector('#train:enabled', { timeout: 60_000 });
}

export async function trainIn(page: Page, epochs: number, rate: number): Promise<void> {
  await page.fill('#epochs', String(epochs));
  await page.fill('#learningRate', String(rate));
  await page.click('#train');
  await page.waitForSelector('#result-step:not([hidden])', { timeout: 120_000 });
}

export async function downloaded(page: Page, button: string): Promise<Uint8Array> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
  return readFileSync(await file.path());
}

/** The largest difference of a weight, relative to the largest of its tensor. */
export function worstWeight(actual: Uint8Array, expected: Uint8Array): number {
  const own = readOnnx(actual).weights;
  const errors = [...readOnnx(expected).weights].map(([name, values]) => {
    const largest = Math.max(...values.map(Math.abs));
    return Math.max(...values.map((value, i) => Math.abs(value - (own.get(name)?.[i] ?? Number.NaN)) / largest));
  });
  expect(errors.length).toBe(6);
  return Math.max(...errors);
}

/**
 * Where a file differs from the one that it begins with: the tensors whose elements do, and the positions of bytes that are no element of any. The
 * elements' places are found by their bytes, as onnx-proto decodes them, so this knows nothing of our own scanner.
 */
export function differing(given: Uint8Array, tuned: Uint8Array): { tensors: string[]; elsewhere: number[] } {
  const places = [...readOnnx(given).weights].map(([name, values]) => {
    const elements = Buffer.from(Float32Array.from(values).buffer);
    const start = Buffer.from(given).indexOf(elements);
    expect(start, name).toBeGreaterThan(0);
    expect(Buffer.from(given).indexOf(elements, start + 1), name).toBe(-1);
    return { name, start, end: start + elements.length };
  });
  const at = [...given.keys()].filter((i) => given[i] !== tuned[i]);
  const owner = (i: number) => places.find(({ start, end }) => start <= i && i < end);
  const tensors = new Set(at.flatMap((i) => owner(i)?.name ?? []));
  return { tensors: [...tensors].sort(), elsewhere: at.filter((i) => owner(i) === undefined) };
}
