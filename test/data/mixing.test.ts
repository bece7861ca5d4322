import { describe, expect, it } from 'vitest';
import { betaShare, boxAround, drawMix, mixSteps } from '../../src/data/mixing.ts';
import { random } from '../../src/data/random.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type MixedBatch, softCases } from '../support/softCases.ts';

const { mixes, beta } = softCases();

function mixOf({ kind, share, kept = share, box }: MixedBatch) {
  return kind === 'cutmix' && box ? ({ kind, share: kept, box } as const) : ({ kind: 'mixup', share } as const);
}

const numbersOf = ({ data }: Tensor): number[] => Array.from(data, Number);

function oneHot(classes: readonly number[], width: number): Tensor {
  const data = new Float32Array(classes.length * width);
  for (const [i, label] of classes.entries()) data[i * width + label] = 1;
  return { dtype: 'float32', dims: [classes.length, width], data };
}

describe.each(mixes)('torchvision’s $kind of $dims, share $share', (batch) => {
  const images: Tensor = { dtype: 'float32', dims: batch.dims, data: Float32Array.from(batch.images) };

  it('is ours to the last bit, labels too, in the first and in a later step', () => {
    const mix = mixOf(batch);
    const own = { kind: 'mixup', share: 1 } as const;
    const twice: Tensor = {
      ...images,
      dims: [2 * (batch.dims[0] ?? 0), ...batch.dims.slice(1)],
      data: Float32Array.from([...batch.images, ...batch.images]),
    };
    expect(numbersOf(mixSteps(images, [mix], false))).toEqual(batch.mixed);
    expect(numbersOf(mixSteps(twice, [own, mix], false))).toEqual([...Float32Array.from(batch.images), ...batch.mixed]);
    const labels = oneHot(batch.classes, batch.labels[0]?.length ?? 0);
    expect(numbersOf(mixSteps(labels, [mix], true))).toEqual(batch.labels.flat());
  });

  it('has our box', () => {
    const [, , height = 0, width = 0] = batch.dims;
    if (batch.center) expect(boxAround(batch.center, batch.share, { height, width })).toEqual(batch.box);
    else expect(batch.kind).toBe('mixup');
  });
});

it('mixes other floats by way of float32', () => {
  const data = Float64Array.of(1, 2, 5, 8);
  const mixed = mixSteps({ dtype: 'float64', dims: [2, 2], data }, [{ kind: 'mixup', share: 0.75 }], false);
  expect(mixed).toEqual({ dtype: 'float64', dims: [2, 2], data: Float64Array.of(2, 3.5, 4, 6.5) });
});

it.each(beta)('shares are from Beta($alpha, $alpha): SciPy’s quantiles', ({ alpha, shares, at }) => {
  const { next } = random(5, Math.round(alpha * 100));
  const count = 20_000;
  const uniform = (): number => (next() + 0.5) * 2 ** -32;
  const drawn = Array.from({ length: count }, () => betaShare(alpha, uniform));
  for (const [i, quantile] of at.entries()) {
    const share = shares[i] ?? 0;
    const below = drawn.filter((value) => value <= quantile).length / count;
    expect(Math.abs(below - share)).toBeLessThan(4.5 * Math.sqrt((share * (1 - share)) / count));
  }
});

describe('what happens to a batch', () => {
  const size = { height: 8, width: 12 };
  const keys = { seed: 3, epoch: 2, step: 17 };

  it('is a function of seed, epoch and step alone', () => {
    const how = { mixup: 0.4, cutmix: 1 };
    expect(drawMix(how, keys, size)).toEqual(drawMix(how, keys, size));
    for (const other of [{ seed: 4 }, { epoch: 3 }, { step: 18 }])
      expect(drawMix(how, { ...keys, ...other }, size)).not.toEqual(drawMix(how, keys, size));
  });

  it('is each of both kinds about as often, one alone always, and mixup where there are no images', () => {
    const kinds = (how: object, of: typeof size | undefined) =>
      Array.from({ length: 400 }, (_, step) => drawMix(how, { ...keys, step }, of).kind);
    const both = kinds({ mixup: 1, cutmix: 1 }, size).filter((kind) => kind === 'cutmix').length;
    expect(Math.abs(both - 200)).toBeLessThan(45);
    expect(new Set(kinds({ mixup: 1 }, size))).toEqual(new Set(['mixup']));
    expect(new Set(kinds({ cutmix: 1 }, size))).toEqual(new Set(['cutmix']));
    expect(new Set(kinds({ mixup: 1, cutmix: 1 }, undefined))).toEqual(new Set(['mixup']));
  });

  it('keeps of the labels what the box leaves of an image', () => {
    for (let step = 0; step < 200; step++) {
      const mix = drawMix({ cutmix: 1 }, { ...keys, step }, size);
      if (mix.kind !== 'cutmix') throw new Error(mix.kind);
      const { top, bottom, left, right } = mix.box;
      expect(mix.share).toBeCloseTo(1 - ((bottom - top) * (right - left)) / 96, 12);
      expect([top, left, 8 - bottom, 12 - right].every((edge) => edge >= 0)).toBe(true);
    }
  });
});
