import { join } from 'node:path';
import { expect, it } from 'vitest';
import { open } from '../../src/model.ts';
import { hasFreshHead } from '../../src/train/freshHead.ts';
import { ROOT } from '../support/cli.ts';

it.each([
  ['sentences/model.onnx', 3, true],
  ['names/hf/onnx/model.onnx', 10, false],
  ['names/ultralytics.onnx', 4, false],
  ['names/strings.onnx', 4, false],
  ['digits/model.onnx', 10, false],
])('the head of %s, %i classes: fresh %s', async (file, classes, isFresh) => {
  const model = await open(join(ROOT, 'fixtures', file));
  expect(await hasFreshHead(model, undefined, classes)).toBe(isFresh);
  model.close();
});
