import { configured } from '../bind.ts';
import type { Configured, Loss } from '../contract.ts';
import type { Sampler } from '../data/sampler.ts';
import { badOption } from '../options/check.ts';
import type { WeightsChoice } from '../tables/graft.ts';
import type { Task } from '../task.ts';
import { formFor } from '../transform/graft.ts';
import type { Catalogue, OrderedTrainOptions } from './options.ts';
import { type Plan, RECIPE_LOSS } from './plan.ts';

/** A loss with class weights, by its name in the report. */
export interface Spec {
  readonly name: string;
  readonly loss: Configured<Loss>;
  readonly weights: WeightsChoice | undefined;
  readonly sampler?: Sampler;
}

/** The losses to train: the requested loss or method, the baseline, and those to compare with. */
export function specsOf({ losses }: Catalogue, options: OrderedTrainOptions, plan: Plan): Spec[] {
  const { method, task } = plan;
  const { loss = RECIPE_LOSS, weights, classWeights = weights, baseline, compare = [] } = options;
  const others = [...(baseline ? ['ce+inverse'] : []), ...compare];
  if (method !== null) {
    const own = plan.losses;
    const bare = { task, lossOptions: {} };
    const further = others.filter((text) => !own.includes(text)).map((text) => specOf({ losses }, text, bare));
    return refuseTwice([...own.map((text) => specOf({ losses }, text, plan, options)), ...further]);
  }
  const main = inForm(configured(losses, loss, 'loss'), task);
  const weighting = weightingOf(classWeights);
  const weighted = weighting === undefined || weighting === 'none' ? '' : `+${weighting}`;
  const specs: Spec[] = [
    { name: `${main.of.name}${weighted}`, loss: main, weights: classWeights },
    ...others.map((text) => specOf({ losses }, text, { task, lossOptions: {} })),
  ];
  return refuseTwice(specs);
}

function refuseTwice(specs: Spec[]): Spec[] {
  const names = specs.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw badOption('compare', 'each loss once', `${twice} more than once`);
  return specs;
}

/** `ce`, with class weights `ce+inverse`, with classes drawn equally often `ce+sampled`; a method's options count where none is given. */
export function specOf(
  { losses }: Pick<Catalogue, 'losses'>,
  text: string,
  { lossOptions, task }: Pick<Plan, 'lossOptions' | 'task'>,
  given: Readonly<Record<string, unknown>> = {},
): Spec {
  const [name = '', how] = text.split('+');
  const { of: loss, options } = inForm(configured(losses, name, 'compare'), task);
  const own = Object.entries(lossOptions).filter(([key]) => key in loss.options && given[key] === undefined);
  const found = { name: text, loss: { of: loss, options: { ...options, ...Object.fromEntries(own) } } };
  return how === 'sampled' ? { ...found, weights: 'none', sampler: 'balanced' } : { ...found, weights: how };
}

/** The loss for labels of that kind. */
function inForm({ of, options }: Configured<Loss>, task: Task): Configured<Loss> {
  return { of: formFor(of, task), options };
}

/** The name of class weights computed by a rule. */
export function weightingOf(weights: WeightsChoice | undefined): string | undefined {
  if (weights === undefined || typeof weights === 'string') return weights;
  if ('of' in weights) return weights.of.name;
  return 'name' in weights ? weights.name : undefined;
}
