import { bindGraft, type GraftOptions, named } from '../bind.ts';
import type { Loss, Optimizer, OptionSpecs, Weighting } from '../contract.ts';
import { LossgraftError } from '../errors.ts';
import { badOption, pick, unknownOption } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import { graftRows, placeRows } from '../tables/graft.ts';
import { stepRows } from '../tables/step.ts';
import { trainRows } from '../tables/train.ts';
import type { Arm, GraphRequest } from '../trainer/request.ts';
import type { GraftRequest } from '../transform/graft.ts';
import { type Catalogue, declaredOptions, type Plan, type TrainOptions } from './options.ts';

/** What is trained, beside one another. */
export interface Arms {
  readonly arms: readonly Arm[];
  readonly first: GraphRequest;
  readonly crossEntropy: GraphRequest;
  /** What measures the influence of samples, see `TrainerRequest`. */
  influence(alpha: number | undefined): GraftRequest & { readonly keepTies?: boolean };
  /** All of it as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A loss with class weights, by the name under which it is reported. */
interface Spec {
  readonly name: string;
  readonly loss: Loss;
  readonly weights: string | readonly number[] | undefined;
}

/**
 * The losses to train with: the one that was asked for, the baseline, and those to compare with. Each takes, of the further options, those
 * that it declares.
 *
 * @throws LossgraftError for unknown names, a loss that comes twice, and options that nothing declares.
 */
export function bindArms(catalogue: Catalogue, options: TrainOptions, plan: Plan, counts: readonly number[]): Arms {
  const specs = specsOf(catalogue, options);
  const { optimizer: asked = plan.optimizer } = options;
  const optimizer = typeof asked === 'string' ? named(catalogue.optimizers, asked, 'optimizer') : asked;
  const binder = new Binder(catalogue, options, plan, counts, optimizer);
  const firsts = options.firstLoss === undefined ? [] : [specOf(catalogue, options.firstLoss)];
  binder.refuseUndeclared([...specs, ...firsts]);
  const arms = specs.map((spec) => binder.arm(spec));
  const ce: Spec = { name: 'ce', loss: named(catalogue.losses, 'ce', 'loss'), weights: 'none' };
  const crossEntropy = binder.request(ce, undefined);
  const first = firsts[0] ? binder.request(firsts[0], undefined) : crossEntropy;
  const settings = Object.fromEntries(arms.map(({ name, graph }) => [`loss ${name}`, plain(graph(undefined))]));
  const influence: Arms['influence'] = (alpha) => binder.influence(specs[0], alpha);
  return { arms, first, crossEntropy, influence, settings: { ...settings, first: plain(first) } };
}

function specsOf({ losses }: Catalogue, options: TrainOptions): Spec[] {
  const { loss = 'ib', classWeights, baseline, compare = [] } = options;
  const main = typeof loss === 'string' ? named(losses, loss, 'loss') : loss;
  const weighted = typeof classWeights === 'string' && classWeights !== 'none' ? `+${classWeights}` : '';
  const specs: Spec[] = [
    { name: `${main.name}${weighted}`, loss: main, weights: classWeights },
    ...[...(baseline ? ['ce+inverse'] : []), ...compare].map((text) => specOf({ losses }, text)),
  ];
  const names = specs.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw badOption('compare', 'each loss once', `${twice} more than once`);
  return specs;
}

/** `ce`, or with class weights `ce+inverse`. */
function specOf({ losses }: Pick<Catalogue, 'losses'>, text: string): Spec {
  const [name = '', weights] = text.split('+');
  return { name: text, loss: named(losses, name, 'compare'), weights };
}

class Binder {
  readonly #catalogue: Catalogue;
  readonly #options: TrainOptions;
  readonly #counts: readonly number[];
  readonly #optimizer: Optimizer;
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #step: Readonly<Record<string, unknown>>;

  constructor(
    catalogue: Catalogue,
    options: TrainOptions,
    plan: Plan,
    counts: readonly number[],
    optimizer: Optimizer,
  ) {
    this.#catalogue = catalogue;
    this.#options = options;
    this.#counts = counts;
    this.#optimizer = optimizer;
    const ofRecipe = Object.entries(plan.optimizerOptions).filter(([key]) => key in optimizer.options);
    const alpha = options.alpha === 'auto' ? undefined : options.alpha;
    this.#given = {
      ...Object.fromEntries(ofRecipe),
      ...declaredOptions(options),
      ...(alpha === undefined ? {} : { alpha }),
    };
    const seed = options.dropout === 'train' ? { seed: plan.seed } : {};
    this.#step = { ...pick(stepRows, options), ...seed };
  }

  arm(spec: Spec): Arm {
    const { loss, name } = spec;
    const graph = (alpha: number | undefined): GraphRequest => this.request(spec, alpha);
    if (this.#options.alpha !== 'auto' || !isCalibrated(loss)) return { name, graph };
    const ce: Spec = { ...spec, loss: named(this.#catalogue.losses, 'ce', 'loss'), weights: this.#weightsOf(spec) };
    return { name, graph, calibration: { ce: this.#graft(ce, undefined).request, loss: this.#graft(spec, 1).request } };
  }

  request(spec: Spec, alpha: number | undefined): GraphRequest {
    const { request, otherOptions } = this.#graft(spec, alpha);
    return {
      ...this.#step,
      ...request,
      calculus: this.#catalogue.calculus,
      optimizer: this.#optimizer,
      optimizerOptions: otherOptions,
      trainable: this.#options.trainable ?? 'all',
    };
  }

  /** The IB loss without class weights; a loss that weighs by influence lends it its options. */
  influence(main: Spec | undefined, alpha: number | undefined): ReturnType<Arms['influence']> {
    const loss = named(this.#catalogue.losses, 'ib', 'loss');
    const spec: Spec = { name: 'ib', loss, weights: 'none' };
    const { keepTies } = this.#options;
    const kept = keepTies === undefined ? {} : { keepTies };
    if (main?.loss.needsFeatures) return { ...this.#graft(spec, alpha).request, ...kept };
    return { ...this.#place(loss), loss, lossOptions: {}, ...kept };
  }

  /** An option must belong to one of the losses at least, their weightings or the optimizer. */
  refuseUndeclared(specs: readonly Spec[]): void {
    const [main] = specs;
    const owners = [this.#optimizer.options, ...specs.flatMap((spec) => this.#ownersOf(spec))];
    const stray = Object.keys(this.#given).find((key) => !owners.some((options) => key in options));
    if (this.#options.alpha === 'auto' && !specs.some(({ loss }) => isCalibrated(loss))) {
      throw badOption(
        'alpha',
        'a loss that has an alpha and an influence to weigh by',
        `auto, with ${main?.name ?? ''}`,
      );
    }
    if (stray === undefined) return;
    throw unknownOption(stray, [...Object.keys(trainRows), ...owners.flatMap(Object.keys)], `option ${stray}`);
  }

  #graft({ loss, ...spec }: Spec, alpha: number | undefined): ReturnType<typeof bindGraft> {
    const weights = this.#weightsOf({ loss, ...spec });
    const owners = [this.#optimizer.options, ...this.#ownersOf({ loss, ...spec })];
    const own = Object.entries(this.#given).filter(([key]) => owners.some((options) => key in options));
    const usesCounts = loss.needsCounts || (typeof weights === 'string' && weights !== 'none');
    if (loss.needsCounts || (usesCounts && this.#mayBeShifted)) {
      refuseEmptyClass(this.#counts, loss.name, this.#options.data.name);
    }
    const options: GraftOptions = {
      ...Object.fromEntries(own),
      ...this.#place(loss),
      ...(alpha === undefined ? {} : { alpha }),
      loss,
      classWeights: weights,
      ...(usesCounts ? { classCounts: this.#counts } : {}),
    };
    return bindGraft({ ...this.#catalogue, weightings: this.#weightings }, graftRows, options, this.#optimizer);
  }

  /** Where the loss goes; what only influence needs is left out for losses without it. */
  #place(loss: Loss): OptionsOf<typeof placeRows> {
    const given = pick(placeRows, this.#options);
    if (loss.needsFeatures) return given;
    const { ib_factor: _, ...rename } = given.rename ?? {};
    const { logits } = given;
    return { ...(logits === undefined ? {} : { logits }), ...(Object.keys(rename).length > 0 ? { rename } : {}) };
  }

  /** Sorted names of which one is missing give the others wrong indices. */
  get #mayBeShifted(): boolean {
    const { classNames = this.#counts } = this.#options.data;
    return classNames.length !== this.#counts.length;
  }

  /** A class without samples weighs 1, as the mean of the others, since no sample asks for its weight. */
  get #weightings(): Readonly<Record<string, Weighting>> {
    const present = this.#counts.filter((count) => count > 0);
    if (present.length === this.#counts.length) return this.#catalogue.weightings;
    const ofPresent = (weighting: Weighting): Weighting => ({
      ...weighting,
      weights: (counts, options) => {
        const values = weighting.weights(present, options).values();
        return counts.map((count) => (count > 0 ? (values.next().value ?? 1) : 1));
      },
    });
    const all = Object.entries(this.#catalogue.weightings);
    return Object.fromEntries(all.map(([name, weighting]) => [name, ofPresent(weighting)]));
  }

  #weightsOf({ loss, weights }: Spec): string | readonly number[] {
    return weights ?? (loss.needsFeatures ? 'inverse' : 'none');
  }

  #ownersOf(spec: Spec): OptionSpecs[] {
    const weights = this.#weightsOf(spec);
    const weighting =
      typeof weights === 'string' ? named(this.#catalogue.weightings, weights, 'class-weights') : undefined;
    return [spec.loss.options, ...(weighting ? [weighting.options] : [])];
  }
}

/** What is made of class counts has no place for a class without samples. */
function refuseEmptyClass(counts: readonly number[], loss: string, where: string): void {
  const empty = counts.flatMap((count, label) => (count === 0 ? [label] : []));
  if (empty.length === 0) return;
  throw new LossgraftError({
    code: 'empty-class',
    where: `${where}, labels`,
    expected: `training samples of all ${counts.length} classes, of whose counts ${loss} is made`,
    found: `none of class ${empty.slice(0, 10).join(', ')}${empty.length > 10 ? `, … (${empty.length})` : ''}`,
    hint: 'Add samples of it, or do without the counts: --class-weights none, or a file of weights',
  });
}

function isCalibrated(loss: Loss): boolean {
  return loss.needsFeatures && 'alpha' in loss.options;
}

/** What a graph is made from, without the functions that make it. */
function plain({ loss, optimizer, calculus: _, ...rest }: GraphRequest): Readonly<Record<string, unknown>> {
  return { ...rest, loss: loss.name, optimizer: optimizer.name };
}
