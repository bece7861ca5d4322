import { normalizeToMeanOne } from './classCounts.ts';
import type { Loss, Optimizer, Weighting } from './contract.ts';
import { LossgraftError } from './errors.ts';
import { nearestNames } from './ir/graph.ts';
import { pick, unknownOption } from './options/check.ts';
import { resolveOptions } from './options/declared.ts';
import type { OptionsOf, Rows } from './options/row.ts';
import { graftRows } from './tables/graft.ts';
import type { GraftRequest } from './transform/graft.ts';

/** What the public door lets a user say about a loss. Further keys are options of the loss, the weighting or the optimizer. */
export type GraftOptions = OptionsOf<typeof graftRows> & { readonly [option: string]: unknown };

export interface Registries {
  readonly losses: Readonly<Record<string, Loss>>;
  readonly weightings: Readonly<Record<string, Weighting>>;
}

/** What goes to the graft as it is given. */
const { loss: _loss, classCounts: _counts, classWeights: _weights, ...plainRows } = graftRows;

/**
 * Turns names into values and hands every further option to what declares it.
 *
 * @param rows the verb's own options.
 * @param others what else declares options: the optimizer.
 * @throws LossgraftError for unknown names, and options that nothing declares.
 */
export function bindGraft(
  { losses, weightings }: Registries,
  rows: Rows,
  options: GraftOptions,
  others: Pick<Optimizer, 'name' | 'options'> = { name: '', options: {} },
): { readonly request: GraftRequest; readonly otherOptions: Readonly<Record<string, unknown>> } {
  const loss = typeof options.loss === 'string' ? named(losses, options.loss, 'loss') : options.loss;
  // What only class weights can use.
  const spare = loss.needsCounts ? undefined : options.classCounts;
  const { weighting, custom } = weightsAsked(weightings, options, spare);
  const rest = Object.entries(options).filter(([key, value]) => value !== undefined && !Object.hasOwn(rows, key));
  const all = { ...loss.options, ...weighting.options, ...others.options };
  const stray = rest.find(([key]) => !(key in all));
  if (stray) {
    const where = [`loss ${loss.name}`, others.name].filter(Boolean).join(', optimizer ');
    throw unknownOption(stray[0], Object.keys(all), `${where}, option ${stray[0]}`);
  }
  const ownerOf = (key: string) => (key in loss.options ? 'loss' : key in weighting.options ? 'weights' : 'other');
  const partOf = (owner: string) => Object.fromEntries(rest.filter(([key]) => ownerOf(key) === owner));
  const classWeights = custom ?? weightsFrom(weighting, partOf('weights'), options.classCounts, spare);
  const classCounts = loss.needsCounts ? options.classCounts : undefined;
  const request = {
    ...pick(plainRows, options),
    loss,
    lossOptions: partOf('loss'),
    ...(classWeights ? { classWeights } : {}),
    ...(classCounts ? { classCounts } : {}),
  };
  return { request, otherOptions: partOf('other') };
}

type Weights = NonNullable<GraftRequest['classWeights']>;

function weightsAsked(
  weightings: Registries['weightings'],
  { classWeights }: GraftOptions,
  spareCounts: readonly number[] | undefined,
): { weighting: Weighting; custom: Weights | undefined } {
  if (classWeights === undefined || typeof classWeights === 'string') {
    const name = classWeights ?? (spareCounts ? 'inverse' : 'none');
    return { weighting: named(weightings, name, 'class-weights'), custom: undefined };
  }
  if (spareCounts !== undefined) throw unusedCounts('class weights of your own');
  const custom = { values: normalizeToMeanOne(classWeights), how: 'custom, normalised to mean 1' };
  return { weighting: named(weightings, 'none', 'class-weights'), custom };
}

function unusedCounts(beside: string): LossgraftError {
  return new LossgraftError({
    code: 'unused-option',
    where: 'option class-counts',
    expected: `either class counts or ${beside}`,
    found: 'both',
    hint: 'Leave the counts out: they would change nothing',
  });
}

function weightsFrom(
  weighting: Weighting,
  given: Readonly<Record<string, unknown>>,
  counts: readonly number[] | undefined,
  spareCounts: readonly number[] | undefined,
): Weights | undefined {
  const options = resolveOptions(weighting.options, given, `class weights ${weighting.name}`);
  if (weighting.name === 'none') {
    if (spareCounts !== undefined) throw unusedCounts('--class-weights none');
    return undefined;
  }
  if (counts !== undefined) return { values: weighting.weights(counts, options), how: weighting.name };
  throw new LossgraftError({
    code: 'option-needs-option',
    where: 'option class-weights',
    expected: 'class counts, from which to compute the weights',
    found: 'no --class-counts',
    hint: 'Add --class-counts, as a list or as a file with the labels',
  });
}

/** The entry of that name. @throws LossgraftError `unknown-<option>` listing what there is. */
export function named<T>(registry: Readonly<Record<string, T>>, name: string, option: string): T {
  const found = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(registry);
  throw new LossgraftError({
    code: `unknown-${option}`,
    where: `option ${option}`,
    expected: `one of ${known.join(', ')}`,
    found: `"${name}"`,
    hint: `Did you mean ${nearestNames(name, known)[0]}`,
  });
}
