import type { Random } from '../data/random.ts';

/** A draw from a gamma distribution of this shape and scale 1: Marsaglia and Tsang, ACM TOMS 26, 2000. */
export function gamma(shape: number, stream: Random): number {
  if (shape < 1) return gamma(shape + 1, stream) * uniform(stream) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(stream);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(uniform(stream)) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** The Box–Muller transform. */
function normal(stream: Random): number {
  return Math.sqrt(-2 * Math.log(uniform(stream))) * Math.cos(2 * Math.PI * uniform(stream));
}

/** Above 0, below 1. */
function uniform({ next }: Random): number {
  return (next() + 0.5) / 2 ** 32;
}
