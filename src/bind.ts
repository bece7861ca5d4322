import { type ClassCounts, normalizeToMeanOne } from './classCounts.ts';
import { inOrder } from './classes/countsByName.ts';
import { findClassNames } from './classes/find.ts';
import type { ClassNames } from './classes/names.ts';
import type { Configured, Loss, Optimizer, OptionSpecs, Weighting } from './contract.ts';
import { LossgraftError, option } from './errors.ts';
import { nearestNames } from './ir/nearestNames.ts';
import type { Model } from './model.ts';
import { pick, unknownOption } from './options/check.ts';
import { resolveOptions } from './options/declared.ts';
import { isNumbers, type OptionsOf, type Rows } from './options/row.ts';
import { type GivenWeights, graftRows, isByClass, type WeightsChoice } from './tables/graft.ts';
import type { GraftRequest } from './transform/graft.ts';

/** The options of a loss at the public door. Further keys are options of the loss, the weighting or the optimizer. */
export type GraftOptions = OptionsOf<typeof graftRows>;

/** The same with counts in the order of the scores. */
export type OrderedOptions = Ordered<GraftOptions>;

/** Options of which what is given by class is a list. */
export type Ordered<T> = Omit<T, 'classCounts' | 'classWeights' | 'weights' | 'positiveWeights'> & {
  readonly classCounts?: readonly number[];
  readonly classWeights?: WeightsChoice;
  readonly weights?: WeightsChoice;
  readonly positiveWeights?: readonly number[];
};

/** What may be given by the names of the classes. */
interface ByClass {
  readonly classCounts?: ClassCounts;
  readonly classWeights?: GivenWeights;
  readonly weights?: GivenWeights;
  readonly positiveWeights?: ClassCounts;
}

export interface Registries {
  readonly losses: Readonly<Record<string, Loss>>;
  readonly weightings: Readonly<Record<string, Weighting>>;
}

/** Passed to the graft unchanged. */
const {
  loss: _loss,
  classCounts: _counts,
  classWeights: _classWeights,
  weights: _weights,
  positiveWeights: _positives,
  gradients: _gradients,
  ...plainRows
} = graftRows;

const NOTHING: Configured<Pick<Optimizer, 'name' | 'options'>> = { of: { name: '', options: {} }, options: {} };

/** Options of which what is given by name is in the order of the model's scores. @throws LossgraftError as `inOrder` does. */
export function withOrder<T extends ByClass & { readonly classNames?: readonly string[] }>(
  { proto, dir }: Pick<Model, 'proto' | 'dir'>,
  options: T,
): Ordered<T> {
  const given = options.classNames;
  return orderedBy(options, (classes) => findClassNames({ given, proto, dir, classes }).names);
}

/** @param namesOf the names of a model of so many classes. */
export function orderedBy<T extends ByClass>(
  { classCounts, classWeights, weights, positiveWeights, ...options }: T,
  namesOf: (classes: number) => ClassNames | undefined,
): Ordered<T> {
  const ordered = (values: ClassCounts, kind: Parameters<typeof inOrder>[2]): readonly number[] =>
    inOrder(values, namesOf(Object.keys(values).length), kind);
  const weighed = (choice: GivenWeights): WeightsChoice =>
    isByClass(choice) ? ordered(choice, 'classWeights') : choice;
  return {
    ...options,
    ...(classCounts === undefined ? {} : { classCounts: ordered(classCounts, 'classCounts') }),
    ...(classWeights === undefined ? {} : { classWeights: weighed(classWeights) }),
    ...(weights === undefined ? {} : { weights: weighed(weights) }),
    ...(positiveWeights === undefined ? {} : { positiveWeights: ordered(positiveWeights, 'positiveWeights') }),
  };
}

/**
 * Turns names into values and passes every further option to the entry that declares it.
 *
 * @param rows the verb's own options.
 * @param optimizer another declarer of options.
 * @throws LossgraftError for unknown names, and options that nothing declares.
 */
export function bindGraft(
  { losses, weightings }: Registries,
  rows: Rows,
  options: OrderedOptions,
  { of: optimizer, options: optimizerOptions } = NOTHING,
): { readonly request: GraftRequest; readonly optimizerOptions: Readonly<Record<string, unknown>> } {
  const { of: loss, options: lossOptions } = configured(losses, options.loss, 'loss');
  // What only class weights can use.
  const spare = loss.needsCounts ? undefined : options.classCounts;
  const { weighting, custom } = weightsAsked(weightings, options.classWeights ?? options.weights, spare);
  const rest = Object.entries(options).filter(([key, value]) => value !== undefined && !Object.hasOwn(rows, key));
  const ofLoss = { ...loss.multiLabel?.options, ...loss.options };
  const all = { ...ofLoss, ...weighting.of.options, ...optimizer.options };
  const stray = rest.find(([key]) => !(key in all));
  if (stray) {
    const where = [`loss ${loss.name}`, optimizer.name].filter(Boolean).join(', optimizer ');
    throw unknownOption(stray[0], Object.keys(all), `${where}, option ${stray[0]}`);
  }
  const ownerOf = (key: string) => (key in ofLoss ? 'loss' : key in weighting.of.options ? 'weights' : 'optimizer');
  const partOf = (owner: string, own: Configured<unknown>['options']) =>
    withOwn(Object.fromEntries(rest.filter(([key]) => ownerOf(key) === owner)), own);
  const weightsOptions = partOf('weights', weighting.options);
  const classWeights = custom ?? positivesAsked(options) ?? weightsFrom(weighting.of, weightsOptions, options, spare);
  const classCounts = loss.needsCounts ? options.classCounts : undefined;
  const request = {
    ...pick(plainRows, options),
    loss,
    lossOptions: partOf('loss', lossOptions),
    ...(classWeights ? { classWeights } : {}),
    ...(classCounts ? { classCounts } : {}),
  };
  return { request, optimizerOptions: partOf('optimizer', optimizerOptions) };
}

/** Merges the options beside a loss with those it was called with. @throws LossgraftError `option-conflict` for one given twice. */
function withOwn(
  beside: Configured<unknown>['options'],
  own: Configured<unknown>['options'],
): Configured<unknown>['options'] {
  const twice = Object.keys(own).find((key) => key in beside);
  if (twice === undefined) return { ...beside, ...own };
  throw new LossgraftError({
    code: 'option-conflict',
    where: `option ${twice}`,
    expected: 'it once',
    found: `${beside[twice]} beside ${own[twice]}`,
    hint: 'Omit one of them',
  });
}

type Weights = NonNullable<GraftRequest['classWeights']>;

function positivesAsked({ positiveWeights: positives }: OrderedOptions): Weights | undefined {
  return positives && { values: null, how: 'pos_weight', positives };
}

function weightsAsked(
  weightings: Registries['weightings'],
  given: WeightsChoice | undefined,
  spareCounts: readonly number[] | undefined,
): { weighting: Configured<Weighting>; custom: Weights | undefined } {
  const asked = given ?? (spareCounts ? 'inverse' : 'none');
  if (!isNumbers(asked)) return { weighting: configured(weightings, asked, 'classWeights'), custom: undefined };
  if (spareCounts !== undefined) throw unusedCounts('your own class weights');
  const custom = { values: normalizeToMeanOne(asked), how: 'custom, normalised to mean 1' };
  return { weighting: configured(weightings, 'none', 'classWeights'), custom };
}

function unusedCounts(beside: string): LossgraftError {
  return new LossgraftError({
    code: 'unused-option',
    where: 'option classCounts',
    expected: `either class counts or ${beside}`,
    found: 'both',
    hint: 'Leave the counts out; they would change nothing',
  });
}

function weightsFrom(
  weighting: Weighting,
  given: Readonly<Record<string, unknown>>,
  { classCounts: counts, sampleCount }: OrderedOptions,
  spareCounts: readonly number[] | undefined,
): Weights | undefined {
  const options = resolveOptions(weighting.options, given, `class weights ${weighting.name}`);
  if (weighting.name === 'none') {
    if (spareCounts !== undefined) throw unusedCounts(option('classWeights', 'none'));
    return undefined;
  }
  if (counts !== undefined || weighting.needsCounts?.(options) === false) {
    const made = { values: weighting.weights(counts ?? [], options), how: weighting.name };
    if (!weighting.positiveWeights) return made;
    return { ...made, positives: weighting.positiveWeights(counts ?? [], sampleCount, options) ?? null };
  }
  throw new LossgraftError({
    code: 'option-needs-option',
    where: 'option classWeights',
    expected: 'class counts to compute the weights from',
    found: `no ${option('classCounts')}`,
    hint: `Add ${option('classCounts')}, as a list or as a file with the labels`,
  });
}

/** The requested entry, by name or as a value, with the options it was called with. */
export function configured<T extends { readonly options: OptionSpecs }>(
  registry: Readonly<Record<string, T>>,
  asked: string | T | Configured<T>,
  key: Registered,
): Configured<T> {
  if (typeof asked === 'string') return { of: named(registry, asked, key), options: {} };
  return 'of' in asked ? asked : { of: asked, options: {} };
}

/** The options that name entries of the catalogue, with the error for an unknown name. */
const UNKNOWN = {
  loss: 'unknown-loss',
  compare: 'unknown-loss',
  classWeights: 'unknown-class-weights',
  optimizer: 'unknown-optimizer',
} as const;

type Registered = keyof typeof UNKNOWN;

/** The entry with that name. @throws LossgraftError as in {@link UNKNOWN}, listing the known names. */
export function named<T>(registry: Readonly<Record<string, T>>, name: string, key: Registered): T {
  const found = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(registry);
  throw new LossgraftError({
    code: UNKNOWN[key],
    where: `option ${key}`,
    expected: `one of ${known.join(', ')}`,
    found: `"${name}"`,
    hint: `Did you mean ${nearestNames(name, known)[0]}`,
  });
}
