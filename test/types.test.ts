import { expect, it } from 'vitest';
import {
  type AugmentOptions,
  adamw,
  augment,
  defineLoss,
  effective,
  fromTensors,
  ib,
  type Loss,
  LossgraftError,
  losses,
  open,
  type TrainGraphOptions,
  type TrainOptions,
  trainGraph,
} from '../src/index.ts';

const data = fromTensors({ labels: { dtype: 'int64', dims: [1], data: BigInt64Array.of(0n) } });
const run = (options: Omit<TrainOptions, 'data' | 'folder'>): void => void options;
const whole = (options: TrainOptions): void => void options;
const graft = (options: AugmentOptions): void => void options;
const step = (options: TrainGraphOptions): void => void options;

const tempered = defineLoss({
  name: 'tempered',
  cites: '',
  summary: '',
  needsFeatures: false,
  options: {
    temperature: { kind: 'number', default: 1, expects: 'a number', accepts: () => true, describe: '' },
    mode: { kind: 'choice', default: 'warm', choices: ['warm', 'cold'], describe: '' },
  },
  build: (op, { logits }) => ({ perSample: op.reduceSum(logits, [1]) }),
});

/** What must compile and what must not: tsc judges. */
it('options are typed by the catalogue and the tables', () => {
  run({ loss: 'ib', alpha: 'auto', momentum: 0.9, compare: ['ce', 'ib-focal+effective'], learningRate: 0.1 });
  run({ loss: ib({ alpha: 100 }), optimizer: adamw({ weightDecay: 0.05 }), weights: effective({ beta: 0.999 }) });
  run({ loss: ib, optimizer: adamw, classWeights: [1, 2, 3], mode: 'resume' });
  run({ loss: tempered({ temperature: 2, mode: 'cold' }) });
  graft({ loss: 'ib-focal', gamma: 2, classCounts: [5, 3], classWeights: 'effective', beta: 0.9, form: 'literal' });
  graft({ loss: losses['vector-scaling'], classCounts: [5, 3] });
  step({ loss: ib({ form: 'literal' }), form: 'split', optimizer: 'adamw', weightDecay: 0 });
  step({ loss: 'ce', momentum: 0.9, nesterov: true });
  const own: Loss = tempered;
  run({ loss: own });

  // @ts-expect-error no such option
  run({ learningRat: 0.1 });
  // @ts-expect-error no such loss
  run({ loss: 'ibb' });
  // @ts-expect-error no such optimizer
  run({ optimizer: 'adamm' });
  // @ts-expect-error a number
  run({ momentum: 'x' });
  // @ts-expect-error no such rule for class weights
  run({ classWeights: 'invers' });
  // @ts-expect-error no such loss to compare with
  run({ compare: ['ce+invers'] });
  // @ts-expect-error no such schedule
  run({ schedule: 'cosin' });
  // @ts-expect-error a whole number, which is no text
  run({ patience: '3' });
  // @ts-expect-error no such option of the augmentation
  run({ augmentation: { paddin: 4 } });
  // @ts-expect-error data are what openData gives
  run({ test: 'test.npz' });
  // @ts-expect-error a folder is needed
  whole({ loss: 'ib', data });
  // @ts-expect-error ib has no gamma
  graft({ loss: 'ib', gamma: 2 });
  // @ts-expect-error no such form
  graft({ loss: 'ib', form: 'fast' });
  // @ts-expect-error a loss is needed
  graft({ classCounts: [5, 3] });
  // @ts-expect-error adam has no momentum
  step({ loss: 'ce', optimizer: 'adam', momentum: 0.9 });
  // @ts-expect-error no such option of ib
  ib({ alpa: 100 });
  // @ts-expect-error no text
  adamw({ weightDecay: '0.05' });
  // @ts-expect-error no such mode
  tempered({ mode: 'hot' });
});

it('options beside a loss and in its call reach the same graph, and one that comes twice is refused', async () => {
  const model = await open('fixtures/digits/model.onnx');
  const beside = await trainGraph(model, { loss: 'ib', alpha: 7, optimizer: 'adamw', weightDecay: 0.5 });
  const called = await trainGraph(model, { loss: ib({ alpha: 7 }), optimizer: adamw({ weightDecay: 0.5 }) });
  expect(called.report).toEqual(beside.report);
  expect(called.report.options).toMatchObject({ alpha: 7 });
  expect(called.report.optimizerOptions).toMatchObject({ weightDecay: 0.5 });
  const literal = await trainGraph(model, { loss: ib({ form: 'literal' }), form: 'step' });
  expect(literal.report.options).toMatchObject({ form: 'literal' });
  const mine = await augment(model, { loss: tempered({ temperature: 3 }) });
  expect(mine.report).toMatchObject({ loss: 'tempered', options: { temperature: 3, mode: 'warm' } });
  const counts = { classCounts: [130, 90, 63, 44, 31, 21, 15, 10, 7, 5] };
  const weighted = await trainGraph(model, { loss: 'ce', ...counts, weights: effective({ beta: 0.9 }) });
  const plain = await trainGraph(model, { loss: 'ce', ...counts, classWeights: 'effective', beta: 0.9 });
  expect(weighted.report).toEqual(plain.report);
  const codeOf = async (options: TrainGraphOptions): Promise<unknown> => {
    const error: unknown = await trainGraph(model, options).catch((caught: unknown) => caught);
    return error instanceof LossgraftError ? error.code : error;
  };
  const twice = { loss: ib({ alpha: 7 }), alpha: 8 };
  expect(await codeOf(twice)).toBe('option-conflict');
  expect(await codeOf({ loss: 'ce', ...counts, weights: 'inverse', classWeights: 'none' })).toBe('option-conflict');
  model.close();
});
