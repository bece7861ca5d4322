import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromBytes } from '../src/files/bytes.ts';
import { type Inspection, type InspectOptions, inspect, trainGraph } from '../src/index.ts';
import { open } from '../src/model.ts';
import { editedBytes, scan } from '../src/onnx/index.ts';
import { ROOT, temporaryFolder } from './support/cli.ts';
import { findNetworks } from './support/networks.ts';

async function inspected(path: string, options: InspectOptions = {}): Promise<Inspection> {
  const model = await open(path);
  try {
    return await inspect(model, options);
  } finally {
    model.close();
  }
}

/** The digits network, whose logits go through an operator without a gradient rule, and whose size goes through another one. */
async function withUnique(): Promise<string> {
  const model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
  const bytes = editedBytes(model.proto, {
    nodes: [
      {
        name: 'unique',
        opType: 'Unique',
        inputs: ['logits'],
        outputs: ['kept'],
        attributes: new Map([['axis', { type: 'int', value: 0n }]]),
      },
    ],
    outputs: [{ name: 'kept', dtype: 'float32', shape: ['M', 10] }],
  });
  model.close();
  const path = join(temporaryFolder(), 'unique.onnx');
  writeFileSync(path, bytes);
  expect(scan(fromBytes(bytes, path)).graph.nodes.map(({ opType }) => opType)).toContain('Unique');
  return path;
}

describe('inspect', () => {
  test.each(findNetworks().map(({ name, model }) => [name, model] as const))(
    'counts the parameters of %s as training takes them, and misses no rule',
    async (_, path) => {
      const { trainable, missingGradientRules } = await inspected(path);
      const model = await open(path);
      const { report } = await trainGraph(model, { loss: 'ce', trainable: 'all' });
      model.close();
      expect(trainable.tensors).toBe(report.trainable.length + report.unreached.length);
      expect(missingGradientRules).toEqual([]);
    },
  );

  test('a rule is missing where it is between the weights and the logits alone', async () => {
    const path = await withUnique();
    expect((await inspected(path, { logits: 'kept' })).missingGradientRules).toEqual(['Unique']);
    expect((await inspected(path, { logits: 'logits' })).missingGradientRules).toEqual([]);
  });
});
