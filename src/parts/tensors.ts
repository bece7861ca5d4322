import type { Tensor } from '../tensor.ts';
import type { Tensors } from './pass.ts';

/** The tensors of a batch under names that cannot meet: labels and outputs. */
export function withLabels(labels: Tensor | undefined, outputs: Tensors): Tensors {
  const own = Object.entries(outputs).map(([key, tensor]) => [`output ${key}`, tensor] as const);
  return Object.fromEntries([...own, ...(labels === undefined ? [] : [['labels', labels] as const])]);
}

/** The opposite of {@link withLabels}. */
export function apart({ labels, ...outputs }: Tensors): {
  readonly labels: Tensor | undefined;
  readonly outputs: Tensors;
} {
  const own = Object.entries(outputs).map(([key, tensor]) => [key.slice('output '.length), tensor]);
  return { labels, outputs: Object.fromEntries(own) };
}
