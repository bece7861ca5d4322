import { random } from '../data/random.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Model } from '../model.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { findLogits, namedLogits } from '../transform/logits.ts';
import { selectParameters } from '../transform/parameters.ts';
import { prepare } from '../transform/prepare.ts';

/** Separates these numbers from others with the same seed. */
const NEW_HEAD = 14;

/**
 * A newly initialized last layer, like PyTorch's Linear: weights and biases uniform within ±1/√(inputs of the layer).
 *
 * @throws LossgraftError if the model has no such layer.
 */
export async function newHead(
  model: Model,
  { logits, classes, seed }: { readonly logits: string | undefined; readonly classes: number; readonly seed: number },
): Promise<Readonly<Record<string, Tensor>>> {
  const { graph, opset } = await prepare(model, { batchNorm: 'frozen', dropout: 'off' });
  const found = logits === undefined ? findLogits(graph, opset) : namedLogits(graph, logits, opset);
  const { parameters } = selectParameters(graph, 'head', found.value);
  const outputs = found.kind === 'sigmoid-binary' ? 1 : classes;
  const sizes = parameters.map(({ source }) => elementCount(source.dims));
  const inputs = Math.min(...sizes.filter((size) => size > outputs)) / outputs;
  if (!Number.isFinite(inputs)) throw noWeights(model.name, found.value.name);
  const tensors = parameters.map(({ value, source: { dims } }, i): [string, Tensor] => {
    const stream = random(seed, i, NEW_HEAD);
    const own = (sizes[i] ?? 0) > outputs ? (sizes[i] ?? 0) / outputs : inputs;
    const data = Float32Array.from(
      { length: sizes[i] ?? 0 },
      () => (2 * (stream.next() / 2 ** 32) - 1) / Math.sqrt(own),
    );
    return [value.name, { dtype: 'float32', dims, data }];
  });
  return Object.fromEntries(tensors);
}

function noWeights(where: string, scores: string): LossgraftError {
  return new LossgraftError({
    code: 'no-parameters',
    where,
    expected: 'a last linear layer with weights for each class, to be drawn anew',
    found: `none before "${scores}"`,
    hint: `Leave ${option('freshHead')} out`,
  });
}
