import { describe, expect, test } from 'vitest';
import { buildGraph } from '../../src/ir/build.ts';
import { findLogits, namedLogits } from '../../src/transform/logits.ts';
import { onnx, scanBytes } from '../onnx/models.ts';

/** What skl2onnx writes of a logistic regression: a label, and probabilities that no Softmax node made. */
function logisticRegression() {
  const value = (name: string, elemType: number, dims: readonly (string | number)[]) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) },
      },
    },
  });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'ai.onnx.ml', version: 1 },
    ],
    graph: {
      name: 'g',
      node: [
        { opType: 'LinearClassifier', domain: 'ai.onnx.ml', input: ['X'], output: ['label', 'scores'] },
        { name: 'norm', opType: 'Normalizer', domain: 'ai.onnx.ml', input: ['scores'], output: ['probabilities'] },
      ],
      input: [value('X', 1, ['N', 4])],
      output: [value('label', 7, ['N']), value('probabilities', 1, ['N', 3])],
    },
  });
  return buildGraph(scanBytes(onnx.ModelProto.encode(model).finish()));
}

describe('logits', () => {
  test('are not the probabilities of a classical model, unless somebody says so', () => {
    const graph = logisticRegression();
    expect(() => findLogits(graph, 17)).toThrow(
      /output "probabilities" comes from a classical model's operator \(node "norm" \(ai\.onnx\.ml::Normalizer\)\)/,
    );
    expect(namedLogits(graph, 'probabilities', 17).how).toBe('named by `logits`');
  });
});
