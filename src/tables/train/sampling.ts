import { choice, flag, type RunRows } from '../../options/row.ts';
import { own } from './settings.ts';

/** How an epoch draws its samples, and the initial last layer. */
export const samplingRows = {
  /** How often an epoch draws each class. Class weights and priors follow the draws. Default `instance`. */
  sampler: choice(
    ['instance', 'sqrt', 'balanced'],
    'How often an epoch draws a class. instance: in proportion to its samples; sqrt: to their square root; balanced: as often as any ' +
      'other. Class weights and priors follow the drawn classes, so nothing is corrected twice (default instance)',
    { ...own, excludes: ['method=sampled', 'method=auto', 'method=crt', 'method=lws'] },
  ),
  /** Starts with a new last layer, initialized as in PyTorch, instead of the model's. The given model is still judged as "before". */
  freshHead: flag('Begin with a new last layer, drawn at random as PyTorch draws it, instead of the model’s', {
    ...own,
    excludes: ['method=lws'],
  }),
} as const satisfies RunRows;
