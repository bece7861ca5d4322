import { drawMix, isMixed, type Mixing, mixSteps } from '../data/mixing.ts';
import type { Samples } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Port } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Group } from './groups.ts';
import type { TrainerRequest } from './request.ts';

/** What the feeds of a group of steps are, and on what they depend. */
export interface GroupKeys {
  readonly seed: number;
  readonly epoch: number;
  readonly rows: Uint32Array;
  readonly group: Group;
}

/** Whether the training graph reads soft labels: of mixed samples, or as the data have them. */
export function readsSoftLabels(augmentation: Mixing | undefined, { soft }: Pick<Samples, 'soft'>): boolean {
  return isMixed(augmentation) || soft !== undefined;
}

/**
 * Gives the training graph soft labels, and mixes the samples of each step; `undefined` where neither is asked for.
 *
 * @throws LossgraftError `mixing` for inputs that cannot be mixed.
 */
export function softener({
  train: { samples },
  trainCounts,
  ports,
  augmentation,
}: TrainerRequest): ((feeds: Tensors, keys: GroupKeys) => Tensors) | undefined {
  if (!readsSoftLabels(augmentation, samples)) return undefined;
  const labels = ports.at(-1)?.name ?? 'labels';
  const inputs = ports.filter(({ name }) => name !== labels);
  const images = augmentation && isMixed(augmentation) ? checkInputs(inputs, augmentation) : undefined;
  return (feeds, { rows, seed, epoch, group }) => {
    const targets = samples.hot ? feeds[labels] : targetsOf(samples, rows, trainCounts.length);
    if (targets === undefined) throw new Error('no labels to mix');
    const soft = { ...feeds, [labels]: targets };
    if (!augmentation || !isMixed(augmentation)) return soft;
    const mixes = Array.from({ length: group.steps }, (_, i) =>
      drawMix(
        augmentation,
        { seed, epoch, step: group.step + i },
        sizeOf(images === undefined ? undefined : feeds[images]),
      ),
    );
    return Object.fromEntries(
      Object.entries(soft).map(([name, tensor]) => [name, mixSteps(tensor, mixes, name === labels)]),
    );
  };
}

/** A row for each sample, float32 [N, C]: the shares that the data give, or 1 in its class's place. */
function targetsOf({ labels, soft }: Samples, rows: Uint32Array, classes: number): Tensor {
  const data = new Float32Array(rows.length * classes);
  for (const [i, row] of rows.entries()) {
    if (soft) data.set(soft.subarray(row * classes, (row + 1) * classes), i * classes);
    else data[i * classes + Number(labels[row])] = 1;
  }
  return { dtype: 'float32', dims: [rows.length, classes], data };
}

function sizeOf(images: Tensor | undefined): { readonly height: number; readonly width: number } | undefined {
  const [, , height = 0, width = 0] = images?.dims ?? [];
  return images && { height, width };
}

/** @returns the input of images that CutMix is for. */
function checkInputs(inputs: readonly Port[], { mixup = 0, cutmix = 0 }: Mixing): string | undefined {
  const other = inputs.find(({ dtype }) => dtype !== undefined && !/^(float|float16|float32|float64)$/.test(dtype));
  if (other !== undefined) {
    throw new LossgraftError({
      code: 'mixing',
      where: `input ${other.name}`,
      expected: 'inputs of numbers, of which a weighted mean is a sample too',
      found: `${other.dtype}`,
      hint: `Omit ${option(mixup > 0 ? 'mixup' : 'cutmix')}: whole numbers, such as tokens, cannot be mixed`,
    });
  }
  if (cutmix === 0) return undefined;
  const [images] = inputs;
  if (inputs.length === 1 && images?.shape?.length === 4) return images.name;
  throw new LossgraftError({
    code: 'mixing',
    where: 'option cutmix',
    expected: 'a model with one input, of images [N, C, H, W]',
    found: inputs.map(({ name, shape }) => `${name} [${shape?.join(', ') ?? '?'}]`).join(', '),
    hint: `Omit it, or take ${option('mixup', 0.2)}, which mixes all kinds of numbers`,
  });
}
