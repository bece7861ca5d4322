import { join } from 'node:path';
import { expect, test } from 'vitest';
import { foundIn, truthOf } from '../support/parameters.ts';
import { findVariants, zooFolder } from './zoo.ts';

const truth = truthOf(zooFolder());

test.each(findVariants().map(({ name }) => name))('%s: all of PyTorch’s parameters and nothing else', async (name) => {
  const { parameters } = await foundIn(join(zooFolder(), name, 'model.onnx'));
  expect(parameters).toEqual(truth[name]?.parameters);
});
