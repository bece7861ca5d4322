import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import { open, trainGraph } from '../../src/index.ts';
import { scan } from '../../src/onnx/index.ts';
import { NETWORKS } from '../support/networks.ts';

async function operators(path: string, options = {}) {
  const model = await open(join(NETWORKS, path, 'model.onnx'));
  try {
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'all', form: 'step', ...options });
    const [bytes = new Uint8Array()] = graph.bytes().values();
    const { nodes } = scan(fromBytes(bytes, path)).graph;
    return { ops: nodes.map(({ opType }) => opType), notes: graph.report.notes };
  } finally {
    model.close();
  }
}

describe('a training step', () => {
  it('holds one branch of an If that sizes decide, and says so', async () => {
    const { ops, notes } = await operators('lrn/torchscript-opset17-eval');
    expect(ops).not.toContain('If');
    expect(notes.filter((note) => note.startsWith('Sizes alone decide a branch'))).toHaveLength(1);
  });

  it('holds both branches of an If that data decide, forward and back', async () => {
    const { ops, notes } = await operators('branch/written-opset17');
    expect(ops.filter((op) => op === 'If')).toHaveLength(2);
    expect(notes.join()).not.toContain('Sizes alone');
  });

  it('steps back through a Loop by a Scan over the states that it hands out', async () => {
    const { ops } = await operators('loop/written-opset17');
    expect(ops.filter((op) => op === 'Loop' || op === 'Scan')).toEqual(['Loop', 'Scan']);
  });

  it('has no sequence where each step of a Loop inserts a tensor that is joined behind it', async () => {
    const { ops } = await operators('bag/dynamo-opset20-eval');
    expect(ops.filter((op) => op.includes('Sequence'))).toEqual([]);
  });
});

test('a head behind a Loop is trained without its gradient', async () => {
  const { ops } = await operators('loop/written-opset17', { trainable: 'head' });
  expect(ops.filter((op) => op === 'Loop' || op === 'Scan')).toEqual(['Loop']);
});

test('a Loop without end is refused before anything runs it', async () => {
  const model = await open(join(NETWORKS, '../control/endless-loop.onnx'));
  const options = { loss: 'ce', logits: 'logits', trainable: 'all', form: 'step' } as const;
  await expect(trainGraph(model, options)).rejects.toThrow(
    /\[node "h" \(Loop\)] expected a Loop that ends: .* found no trip count, and a condition that stays true/,
  );
  model.close();
});
