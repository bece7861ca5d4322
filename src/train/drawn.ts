import type { Sampler } from '../data/sampler.ts';
import { option } from '../errors.ts';
import { isNumbers } from '../options/row.ts';
import type { TrainOptions } from './options.ts';

/** The note on what a sampler does to the classes. */
export function describeSampler(
  options: Pick<TrainOptions, 'sampler' | 'data' | 'classWeights' | 'weights'>,
  counts: readonly number[],
  drawnBy: (sampler: Sampler) => readonly number[],
): string[] {
  const { sampler = 'instance', data, classWeights = options.weights } = options;
  if (sampler === 'instance') return [];
  const drawn = drawnBy(sampler);
  const times = counts.map((count, k) => (count === 0 ? 0 : (drawn[k] ?? 0) / count));
  const most = times.reduce((best, value, k) => (value > (times[best] ?? 0) ? k : best), 0);
  const name = data.classNames?.[most] ?? String(most);
  const often = `each of the ${counts[most]} samples of class ${name} about ${Number((times[most] ?? 0).toPrecision(2))} times`;
  const given = isNumbers(classWeights)
    ? `; the weights of ${option('classWeights')} are yours and stay as they are: both correct`
    : '; class weights and priors follow the drawn classes, so nothing is corrected twice';
  return [`Sampler ${sampler}: an epoch draws ${often}${given}`];
}
