import { bindGraft, configured, named, type OrderedOptions } from '../bind.ts';
import type { Configured, Loss, Optimizer, OptionSpecs, Weighting } from '../contract.ts';
import { drawnCounts, type Sampler } from '../data/sampler.ts';
import { LossgraftError, option } from '../errors.ts';
import { badOption, pick, unknownOption } from '../options/check.ts';
import { resolveOptions } from '../options/declared.ts';
import { isNumbers, type OptionsOf } from '../options/row.ts';
import { graftRows, placeRows, type WeightsChoice } from '../tables/graft.ts';
import { stepRows } from '../tables/step.ts';
import { trainRows } from '../tables/train.ts';
import { TASKS } from '../task.ts';
import type { Arm, GraphRequest } from '../trainer/request.ts';
import { formFor, type GraftRequest, refuseHardLoss } from '../transform/graft.ts';
import { type Catalogue, declaredOptions, type OrderedTrainOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { type Spec, specOf, specsOf, weightingOf } from './specs.ts';

/** Training samples of each class, and in all; and whether what is trained reads soft labels. */
export interface TrainingCounts {
  readonly counts: readonly number[];
  readonly samples: number;
  readonly softLabels?: boolean;
  /** How often a sampler draws each class; by the counts alone, where samples have one each. */
  drawnBy?(sampler: Sampler): readonly number[];
}

/** The arms to train. */
export interface Arms {
  readonly arms: readonly Arm[];
  readonly first: GraphRequest;
  readonly crossEntropy: GraphRequest;
  /** The loss that measures the influence of samples, see `TrainerRequest`. */
  influence(alpha: number | undefined): GraftRequest & { readonly keepTies?: boolean };
  /** The effective options of the first loss and of the optimizer. */
  readonly declared: Readonly<Record<string, unknown>>;
  /** All of it as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * The losses to train with: the requested one, the baseline, and those to compare with. Each takes those of the further options that it
 * declares.
 *
 * @throws LossgraftError for unknown names, a repeated loss, and options that nothing declares.
 */
export function bindArms(catalogue: Catalogue, options: OrderedTrainOptions, plan: Plan, data: TrainingCounts): Arms {
  const specs = specsOf(catalogue, options, plan);
  const optimizer = configured(catalogue.optimizers, options.optimizer ?? plan.optimizer, 'optimizer');
  const binder = new Binder(catalogue, options, plan, data, optimizer);
  const { task } = plan;
  const firsts =
    options.firstLoss === undefined ? [] : [specOf(catalogue, options.firstLoss, { task, lossOptions: {} })];
  binder.refuseUndeclared([...specs, ...firsts]);
  const arms = specs.map((spec) => binder.arm(spec));
  const plainLoss = TASKS[task].crossEntropy;
  const ce: Spec = { name: plainLoss, loss: configured(catalogue.losses, plainLoss, 'loss'), weights: 'none' };
  const crossEntropy = binder.request(ce, undefined);
  const first = binder.trained(firsts[0] ?? ce, undefined);
  const settings = Object.fromEntries(arms.map(({ name, graph }) => [`loss ${name}`, plain(graph(undefined))]));
  const influence: Arms['influence'] = (alpha) => binder.influence(specs[0], alpha);
  const declared = countingOptions(arms[0]?.graph(undefined) ?? first);
  return { arms, first, crossEntropy, influence, declared, settings: { ...settings, first: plain(first) } };
}

function countingOptions({ loss, lossOptions, optimizer, optimizerOptions }: GraphRequest): Arms['declared'] {
  return {
    ...resolveOptions(optimizer.options, optimizerOptions, `optimizer ${optimizer.name}`),
    ...resolveOptions(loss.options, lossOptions, `loss ${loss.name}`),
  };
}

class Binder {
  readonly #catalogue: Catalogue;
  readonly #options: OrderedTrainOptions;
  readonly #counts: readonly number[];
  readonly #samples: number;
  readonly #softLabels: boolean;
  readonly #drawnBy: (sampler: Sampler) => readonly number[];
  readonly #plan: Plan;
  readonly #optimizer: Configured<Optimizer>;
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #step: Readonly<Record<string, unknown>>;

  constructor(
    catalogue: Catalogue,
    options: OrderedTrainOptions,
    plan: Plan,
    { counts, samples, softLabels = false, drawnBy }: TrainingCounts,
    optimizer: Configured<Optimizer>,
  ) {
    this.#catalogue = catalogue;
    this.#options = options;
    this.#counts = counts;
    this.#samples = samples;
    this.#softLabels = softLabels;
    this.#drawnBy = (sampler) =>
      sampler === 'instance' || drawnBy === undefined ? drawnCounts(counts, sampler) : drawnBy(sampler);
    this.#plan = plan;
    this.#optimizer = optimizer;
    const ofRecipe = Object.entries(plan.optimizerOptions).filter(
      ([key]) => key in optimizer.of.options && !(key in optimizer.options),
    );
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
    const sampler = this.#samplerOf(spec);
    const own = sampler === 'instance' ? { name } : { name, sampler };
    const graph = (alpha: number | undefined): GraphRequest => this.trained(spec, alpha);
    if (this.#options.alpha !== 'auto' || !isCalibrated(loss.of)) return { ...own, graph };
    const ce: Spec = {
      ...spec,
      loss: configured(this.#catalogue.losses, TASKS[this.#plan.task].crossEntropy, 'loss'),
      weights: this.#weightsOf(spec),
    };
    return {
      ...own,
      graph,
      calibration: { ce: this.#graft(ce, undefined).request, loss: this.#graft(spec, 1).request },
    };
  }

  /** Of what is trained, and not only judged. @throws LossgraftError `soft-labels` */
  trained(spec: Spec, alpha: number | undefined): GraphRequest {
    const request = this.request(spec, alpha);
    if (!this.#softLabels) return request;
    refuseHardLoss(request.loss, this.#plan.task);
    return { ...request, softLabels: true };
  }

  request(spec: Spec, alpha: number | undefined): GraphRequest {
    const { request, optimizerOptions } = this.#graft(spec, alpha);
    return {
      ...this.#step,
      ...request,
      calculus: this.#catalogue.calculus,
      optimizer: this.#optimizer.of,
      optimizerOptions,
      trainable: this.#plan.trainable,
      ...this.#scales,
    };
  }

  /** The IB loss without class weights; a loss that weights by influence lends it its options. */
  influence(main: Spec | undefined, alpha: number | undefined): ReturnType<Arms['influence']> {
    const loss = formFor(named(this.#catalogue.losses, 'ib', 'loss'), this.#plan.task);
    const lent = Object.entries(main?.loss.options ?? {}).filter(([key]) => key in loss.options);
    const spec: Spec = { name: 'ib', loss: { of: loss, options: Object.fromEntries(lent) }, weights: 'none' };
    const { keepTies } = this.#options;
    const kept = { ...(keepTies === undefined ? {} : { keepTies }), ...this.#scales };
    if (main?.loss.of.needsFeatures) return { ...this.#graft(spec, alpha).request, ...kept };
    return { ...this.#place(loss), loss, lossOptions: {}, ...kept };
  }

  get #scales(): Pick<GraftRequest, 'learnsScales'> {
    return this.#plan.learnsScales ? { learnsScales: true } : {};
  }

  /** An option must belong to at least one of the losses, their weightings or the optimizer. */
  refuseUndeclared(specs: readonly Spec[]): void {
    const [main] = specs;
    const owners = [this.#optimizer.of.options, ...specs.flatMap((spec) => this.#ownersOf(spec))];
    const stray = Object.keys(this.#given).find((key) => !owners.some((options) => key in options));
    if (this.#options.alpha === 'auto' && !specs.some(({ loss }) => isCalibrated(loss.of))) {
      throw badOption(
        'alpha',
        'a loss that has an alpha and weighs samples by influence',
        `auto, with ${main?.name ?? ''}`,
      );
    }
    if (stray === undefined) return;
    throw unknownOption(stray, [...Object.keys(trainRows), ...owners.flatMap(Object.keys)], `option ${stray}`);
  }

  #graft({ loss, ...spec }: Spec, alpha: number | undefined): ReturnType<typeof bindGraft> {
    const weights = this.#weightsOf({ loss, ...spec });
    const sampler = this.#samplerOf(spec);
    const owners = [this.#optimizer.of.options, ...this.#ownersOf({ loss, ...spec })];
    const own = Object.entries(this.#given).filter(([key]) => owners.some((options) => key in options));
    const weighting = weightingOf(weights);
    const usesCounts = loss.of.needsCounts || (weighting !== undefined && weighting !== 'none');
    if ((loss.of.needsCounts && this.#plan.method === null) || (usesCounts && this.#mayBeShifted)) {
      refuseEmptyClass(this.#counts, loss.of.name, this.#options.data.name);
    }
    const options: OrderedOptions = {
      ...Object.fromEntries(own),
      ...this.#place(loss.of),
      ...(alpha === undefined ? {} : { alpha }),
      loss,
      ...this.#weightsIn(weights, sampler),
      ...(this.#plan.task === 'multi-label' ? { sampleCount: this.#samples } : {}),
      ...(usesCounts ? { classCounts: loss.of.needsCounts ? this.#priors(loss.of, sampler) : this.#counts } : {}),
    };
    return bindGraft(this.#catalogue, graftRows, options, this.#optimizer);
  }

  /** Weights for the labels of a sample come from the user and stay unchanged. */
  #weightsIn(weights: WeightsChoice, sampler: Sampler): Pick<OrderedOptions, 'classWeights' | 'positiveWeights'> {
    const { positiveWeights } = this.#options;
    if (positiveWeights !== undefined) return { positiveWeights };
    return { classWeights: this.#ofPresent(weights, sampler) };
  }

  /** Where the loss is grafted; options that only influence needs are dropped for losses without it. */
  #place(loss: Loss): OptionsOf<typeof placeRows> {
    const given = pick(placeRows, this.#options);
    if (loss.needsFeatures) return given;
    const { ib_factor: _, ...rename } = given.rename ?? {};
    const { logits, task } = given;
    const asked = { ...(logits === undefined ? {} : { logits }), ...(task === undefined ? {} : { task }) };
    return { ...asked, ...(Object.keys(rename).length > 0 ? { rename } : {}) };
  }

  /** If one of the sorted names is missing, the others get wrong indices. */
  get #mayBeShifted(): boolean {
    const { classNames = this.#counts } = this.#options.data;
    return classNames.length !== this.#counts.length;
  }

  #samplerOf({ sampler }: Pick<Spec, 'sampler'>): Sampler {
    return sampler ?? this.#options.sampler ?? 'instance';
  }

  /** A method treats a class without samples as one with a single sample, so that the loss hardly lowers its score. */
  #priors(loss: Loss, sampler: Sampler): readonly number[] {
    const counts = loss.countsArePriors ? this.#drawnBy(sampler) : this.#counts;
    return this.#plan.method !== null ? counts.map((count) => Math.max(count, 1)) : counts;
  }

  /** Weights of the classes as drawn. One without samples has weight 1, the mean of the others: no sample uses it. */
  #ofPresent(asked: WeightsChoice, sampler: Sampler): WeightsChoice {
    const drawn = this.#drawnBy(sampler);
    const present = drawn.filter((count) => count > 0);
    if (isNumbers(asked) || (present.length === this.#counts.length && sampler === 'instance')) return asked;
    const { of: weighting, options } = configured(this.#catalogue.weightings, asked, 'classWeights');
    const weights: Weighting['weights'] = (_, given) => {
      const values = weighting.weights(present, given).values();
      return this.#counts.map((count) => (count > 0 ? (values.next().value ?? 1) : 1));
    };
    const positiveWeights: Weighting['positiveWeights'] = (_, samples, given) =>
      weighting.positiveWeights?.(
        drawn.map((count) => Math.max(count, 1)),
        samples,
        given,
      );
    const forLabels = weighting.positiveWeights === undefined ? {} : { positiveWeights };
    return { of: { ...weighting, weights, ...forLabels }, options };
  }

  #weightsOf({ loss, weights }: Spec): WeightsChoice {
    return weights ?? (loss.of.needsFeatures ? 'inverse' : 'none');
  }

  #ownersOf(spec: Spec): OptionSpecs[] {
    const weights = this.#weightsOf(spec);
    if (isNumbers(weights)) return [spec.loss.of.options];
    return [spec.loss.of.options, configured(this.#catalogue.weightings, weights, 'classWeights').of.options];
  }
}

/** Losses made from class counts cannot handle a class without samples. */
function refuseEmptyClass(counts: readonly number[], loss: string, where: string): void {
  const empty = counts.flatMap((count, label) => (count === 0 ? [label] : []));
  if (empty.length === 0) return;
  throw new LossgraftError({
    code: 'empty-class',
    where: `${where}, labels`,
    expected: `training samples of all ${counts.length} classes: ${loss} is built from their counts`,
    found: `none of class ${empty.slice(0, 10).join(', ')}${empty.length > 10 ? `, … (${empty.length})` : ''}`,
    hint: `Add samples of it, or do without the counts: ${option('classWeights', 'none')}, or a file of weights`,
  });
}

function isCalibrated(loss: Loss): boolean {
  return loss.needsFeatures && 'alpha' in loss.options;
}

/** The description of a graph, without functions. */
function plain({ loss, optimizer, calculus: _, ...rest }: GraphRequest): Readonly<Record<string, unknown>> {
  return { ...rest, loss: loss.name, optimizer: optimizer.name };
}
