import { checkClassCounts, normalizeToMeanOne } from './classCounts.ts';
import type { Pen } from './emit/index.ts';
import type { Node, Value } from './ir/graph.ts';
import type { Task } from './task.ts';

/** The inputs of a loss. All float32 except `labels`. */
export interface LossInputs {
  /** Unnormalised scores, [N, C]. */
  readonly logits: Value;
  /** Class indices, int64 [N], each in 0…C−1; for a multi-label loss 1 for each label of a sample and 0 for the others, float32 [N, C]. */
  readonly labels: Value;
  /** Whether labels are the shares of all classes, float32 [N, C], in place of indices; of a multi-label loss whether they are from 0 to 1. */
  readonly areSoft?: boolean;
  /** Σ|h| of each sample's features, [N]; present if the loss declares `needsFeatures`. */
  readonly featureNorm: Value | undefined;
  /** Class weights, [C]; `undefined` is all ones. */
  readonly weights: Value | undefined;
  /** For a multi-label loss: weights of the labels that a sample has, [C] or [1], like PyTorch's `pos_weight`; `undefined` is all ones. */
  readonly positiveWeights?: Value | undefined;
  /** Training samples of each class, checked, for constants; present if the loss declares `needsCounts`. */
  readonly counts: readonly number[] | undefined;
  /** The total number of training samples, which the counts of a multi-label loss do not give; present with `counts`. */
  readonly samples?: number | undefined;
}

/** The outputs of a loss, per sample; the engine reduces them. */
export interface LossOutputs {
  /** [N] */
  readonly perSample: Value;
  /** Further outputs of the augmented model by name, [N] each. */
  readonly extra?: Readonly<Record<string, Value>>;
}

/** One option of a loss. */
export type OptionSpec = NumberOption | FlagOption | ChoiceOption;

export interface NumberOption {
  readonly kind: 'number';
  readonly default: number;
  readonly describe: string;
  /** The allowed values, as a phrase and a test. */
  readonly expects: string;
  readonly accepts: (value: number) => boolean;
}

export interface FlagOption {
  readonly kind: 'flag';
  readonly default: boolean;
  readonly describe: string;
}

export interface ChoiceOption<C extends string = string> {
  readonly kind: 'choice';
  readonly default: C;
  readonly describe: string;
  readonly choices: readonly C[];
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type OptionValue<T extends OptionSpec> = T extends NumberOption
  ? number
  : T extends FlagOption
    ? boolean
    : T extends ChoiceOption<infer C>
      ? C
      : never;

/** The values of declared options. */
export type OptionValues<S extends OptionSpecs> = { readonly [K in keyof S]: OptionValue<S[K]> };

/** A loss, a weighting or an optimizer with values for its options: the result of `ib({ alpha: 100 })`. */
export interface Configured<T> {
  readonly of: T;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Usable as it is, or called with values for its options. */
export type Configurable<T extends { readonly options: OptionSpecs }> = T &
  ((options?: Partial<OptionValues<T['options']>>) => Configured<T>);

function configurable<T extends { readonly options: OptionSpecs }>(definition: T): Configurable<T> {
  const configure = (options: Readonly<Record<string, unknown>> = {}): Configured<T> => ({ of: definition, options });
  return Object.defineProperties(configure, Object.getOwnPropertyDescriptors(definition)) as Configurable<T>;
}

/** A loss: a name, its options, and a pure function that emits its subgraph. */
export interface Loss<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** The paper and equation, or the PyTorch function, that it follows. */
  readonly cites: string;
  readonly summary: string;
  /** The task of its labels. Default `exclusive`. */
  readonly task?: Task;
  /** The corresponding loss for multi-label heads, if this one is for exclusive classes. */
  readonly multiLabel?: Loss;
  readonly needsFeatures: boolean;
  /** Whether it takes class weights. Default true. */
  readonly takesWeights?: boolean;
  /** Whether it reads soft labels: see {@link LossInputs}. Default false. */
  readonly takesSoftLabels?: boolean;
  /** Whether the loss itself uses the class counts; class weights then default to `none`. */
  readonly needsCounts?: boolean;
  /** Whether the counts are class priors: if training resamples classes, the counts follow the draws. */
  readonly countsArePriors?: boolean;
  readonly options: S;
  build(op: Pen, inputs: LossInputs, options: OptionValues<S>): LossOutputs;
}

/** Preserves the options' types, for `build` and for `myLoss({ … })`. */
export function defineLoss<const S extends OptionSpecs>(loss: Loss<S>): Configurable<Loss<S>> {
  return configurable(loss);
}

/** How class weights follow from class counts. `weights` returns one weight per class, in float64. */
export interface Weighting<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly cites: string;
  readonly summary: string;
  readonly options: S;
  /** Whether the weights stay as they are; otherwise they are normalised to mean 1. */
  readonly keepsScale?: boolean;
  /** Whether they depend on the counts, with these options. Default: always. */
  needsCounts?(options: OptionValues<S>): boolean;
  weights(counts: readonly number[], options: OptionValues<S>): readonly number[];
  /**
   * For a multi-label loss, if it weights the labels that a sample has: one weight per label, or one for all. `undefined`: it needs the
   * number of `samples`.
   */
  positiveWeights?(
    counts: readonly number[],
    samples: number | undefined,
    options: OptionValues<S>,
  ): readonly number[] | undefined;
}

/** Adds what all weightings share: it checks the counts and normalises the weights to mean 1, unless they keep their scale. */
export function defineWeighting<const S extends OptionSpecs>(weighting: Weighting<S>): Configurable<Weighting<S>> {
  const weights: Weighting<S>['weights'] = (counts, options) => {
    if (weighting.needsCounts?.(options) !== false) checkClassCounts(counts);
    const made = weighting.weights(counts, options);
    return weighting.keepsScale ? made : normalizeToMeanOne(made);
  };
  return configurable({ ...weighting, weights });
}

/** A node as a gradient rule sees it. */
export interface GradientContext {
  readonly op: Pen;
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  /** The gradient of the first output, of its shape and type. */
  readonly dy: Value;
  /** The gradient of output `i`; zeros if none flows. */
  readonly dyOf: (i: number) => Value;
  /** The gradient of output `i`; `undefined` if none flows. */
  readonly flow: (i: number) => Value | undefined;
  /** Whether the gradient of input `i` is used. Unused ones are pruned, so rules need not ask. */
  readonly wants: (i: number) => boolean;
  /** Input `i`. @throws LossgraftError naming the node if it is absent. */
  readonly input: (i: number) => Value;
  /** The elements of a constant input, or `undefined` if it is absent. @throws LossgraftError if it is computed. */
  readonly constant: (i: number) => readonly number[] | undefined;
  /** The same, but `undefined` for an input that is computed or needs a gradient: for cheaper forms. */
  readonly known: (i: number) => readonly number[] | undefined;
  /** Puts the nodes that `write` emits before this node: a forward pass that saves what its gradient needs. */
  readonly ahead: <T>(write: () => T) => T;
  /** Declares a value computed ahead equal to output `i`: a training step reads it instead, and no longer needs this node. */
  readonly replaces: (i: number, value: Value) => void;
}

/**
 * The vector-Jacobian product of an operator: one gradient per input, `undefined` if none flows. The engine sums a gradient down to its
 * input's shape if the operator broadcast it, and accumulates.
 */
export type GradientRule = (context: GradientContext) => readonly (Value | undefined)[];

/** A rule for an operator with one differentiable input x and one output y. */
export function unary(
  rule: (context: GradientContext & { readonly x: Value; readonly y: Value }) => Value,
): GradientRule {
  return (context) => [rule({ ...context, x: context.input(0), y: output(context) })];
}

/** A rule for an operator with two differentiable inputs a, b and one output y. */
export function binary(
  rule: (
    context: GradientContext & { readonly a: Value; readonly b: Value; readonly y: Value },
  ) => readonly [Value, Value],
): GradientRule {
  return (context) => rule({ ...context, a: context.input(0), b: context.input(1), y: output(context) });
}

/** No gradient flows through this operator: its results are piecewise constant, integer or boolean. That differs from having no rule. */
export const noGradient: GradientRule = () => [];

function output({ outputs, dy }: GradientContext): Value {
  return outputs[0] ?? dy;
}

export { COMPOSITE_DOMAIN } from './ir/graph.ts';

export interface ExpansionContext {
  readonly op: Pen;
  readonly node: Node;
  /** Input `i`. @throws LossgraftError naming the node if it is absent. */
  readonly input: (i: number) => Value;
  /** The types and shapes of the outputs, as the rule that emitted the composite stated them. */
  readonly outputs: readonly (Value | undefined)[];
}

/** Expands a composite into plain ai.onnx operators: one value per output. */
export type Expansion = (context: ExpansionContext) => readonly Value[];

/**
 * A node as seen by a rule that gives it a blocked form in lossgraft's own CPU session: channels in blocks, [N, C/b, H, W, b] in memory.
 */
export interface BlockedContext extends ExpansionContext {
  /** Channels in a block, b. */
  readonly block: number;
  /** [N, C, H, W] of a float32 value, with the session's batch size; `undefined` if a length is unknown. */
  readonly dims: (value: Value | undefined) => readonly [number, number, number, number] | undefined;
  /** Whether the value exists in blocks already. */
  readonly isBlocked: (value: Value | undefined) => boolean;
  /** Whether it is in blocks, or can be converted. */
  readonly canBlock: (value: Value | undefined) => boolean;
  /** The value in blocks, declared as [N, C↑, H, W] with C↑ the next multiple of b; channels beyond C are finite and meaningless. */
  readonly blocked: (value: Value) => Value;
  /** The value in its original form. */
  readonly plain: (value: Value) => Value;
  /** The elements of a value that does not depend on data or parameters; `undefined` for others. */
  readonly numbersOf: (value: Value) => readonly number[] | undefined;
  /** The same for a value with one element. */
  readonly numberOf: (value: Value) => number | undefined;
  /** Whether a value is constant during training, so that the runtime itself blocks its readers. */
  readonly isConstant: (value: Value) => boolean;
  /** Nodes that still read the value in its original form, including this one. */
  readonly readers: (value: Value) => number;
}

/** One output of a node, in blocks or in its original form. */
export type Placed = { readonly blocked: Value } | { readonly plain: Value };

/** The blocked form of a node, one entry per output; `undefined` if the node should stay as it is. */
export type BlockedRule = (context: BlockedContext) => readonly (Placed | undefined)[] | undefined;

/** A state that an optimizer keeps for each parameter. All start at zero. */
export interface Slot {
  readonly name: string;
  /** `param`: the parameter's shape; `scalar`: one number. float32. */
  readonly kind: 'param' | 'scalar';
}

export interface UpdateContext {
  readonly op: Pen;
  readonly param: Value;
  /** The gradient of the loss, in the parameter's shape. */
  readonly grad: Value;
  /** The learning rate, a scalar, including this parameter's factor. */
  readonly lr: Value;
  /** The slots' values by name. */
  readonly slot: (name: string) => Value;
}

/** The parameter's next value and the slots' by name. */
export interface Update {
  readonly param: Value;
  readonly slots: Readonly<Record<string, Value>>;
}

/** An optimizer: slots, and a pure function that emits one parameter's update. The engine owns loops, names and state. */
export interface Optimizer<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** The PyTorch function that it follows, step by step. */
  readonly cites: string;
  readonly summary: string;
  readonly options: S;
  slots(options: OptionValues<S>): readonly Slot[];
  update(context: UpdateContext, options: OptionValues<S>): Update;
}

export function defineOptimizer<const S extends OptionSpecs>(optimizer: Optimizer<S>): Configurable<Optimizer<S>> {
  return configurable(optimizer);
}
