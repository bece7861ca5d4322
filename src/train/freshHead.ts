import type { InitializerSource } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { readTensor } from '../onnx/index.ts';
import { findLogits, namedLogits } from '../transform/logits.ts';
import { selectParameters } from '../transform/parameters.ts';
import { prepare } from '../transform/prepare.ts';

/**
 * Whether the last linear layer is untrained: all its biases are 0, the initial value in Keras and transformers, or its weights fill the
 * range of a uniform distribution exactly up to its bound, as PyTorch and Keras initialize them. Training moves some beyond.
 *
 * @throws LossgraftError if the model has no such layer.
 */
export async function hasFreshHead(model: Model, logits: string | undefined, classes: number): Promise<boolean> {
  const { graph, opset } = await prepare(model, { batchNorm: 'frozen', dropout: 'off' });
  const found = logits === undefined ? findLogits(graph, opset) : namedLogits(graph, logits, opset);
  const { parameters } = selectParameters(graph, 'head', found.value);
  const read = (source: InitializerSource): number[] =>
    Array.from(toNumbers('data' in source ? source : readTensor(model.proto.source, source, { modelDir: model.dir })));
  const tensors = parameters.map(({ source }) => read(source));
  const outputs = found.kind === 'sigmoid-binary' ? 1 : classes;
  const biases = tensors.filter(({ length }) => length === outputs);
  const weights = tensors.filter(({ length }) => length > outputs);
  if (biases.length > 0 && biases.every((bias) => bias.every((value) => value === 0))) return true;
  return weights.length > 0 && weights.every((weight) => isUniform(weight, outputs));
}

/** Fewer numbers may stay below a bound by chance. */
const ENOUGH = 32;

function isUniform(weight: readonly number[], outputs: number): boolean {
  const width = weight.length / outputs;
  const largest = weight.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  // PyTorch's Linear, and Glorot's bound in Keras.
  const bounds = [1 / Math.sqrt(width), Math.sqrt(6 / (width + outputs))];
  return weight.length >= ENOUGH && bounds.some((bound) => largest <= bound * (1 + 1e-6) && largest >= 0.9 * bound);
}
