import { checkClassCounts, normalizeToMeanOne } from './classCounts.ts';
import type { Pen } from './emit/index.ts';
import type { Node, Value } from './ir/graph.ts';
import type { Task } from './task.ts';

/** What a loss reads. All float32 but `labels`. */
export interface LossInputs {
  /** Unnormalised scores, [N, C]. */
  readonly logits: Value;
  /** Class indices, int64 [N], each in 0…C−1; of a multi-label loss 1 for a label that a sample has and 0 for another, float32 [N, C]. */
  readonly labels: Value;
  /** Whether labels are the shares of all classes, float32 [N, C], in place of indices; of a multi-label loss whether they are from 0 to 1. */
  readonly areSoft?: boolean;
  /** Σ|h| of each sample's features, [N]; there if the loss declares `needsFeatures`. */
  readonly featureNorm: Value | undefined;
  /** Class weights, [C]; `undefined` is all ones. */
  readonly weights: Value | undefined;
  /** Of a multi-label loss: weights of the labels that a sample has, [C] or [1], as PyTorch's `pos_weight`; `undefined` is all ones. */
  readonly positiveWeights?: Value | undefined;
  /** Training samples of each class, checked, from which constants are made; there if the loss declares `needsCounts`. */
  readonly counts: readonly number[] | undefined;
  /** Training samples in all, which the counts of a multi-label loss do not tell; there with `counts`. */
  readonly samples?: number | undefined;
}

/** What a loss gives, per sample; the engine reduces. */
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
  /** What is allowed, as a phrase and a test. */
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

/** A loss, a weighting or an optimizer with values for its options: what `ib({ alpha: 100 })` gives. */
export interface Configured<T> {
  readonly of: T;
  readonly options: Readonly<Record<string, unknown>>;
}

/** It can be taken as it is, or called to give values to its options. */
export type Configurable<T extends { readonly options: OptionSpecs }> = T &
  ((options?: Partial<OptionValues<T['options']>>) => Configured<T>);

function configurable<T extends { readonly options: OptionSpecs }>(definition: T): Configurable<T> {
  const configure = (options: Readonly<Record<string, unknown>> = {}): Configured<T> => ({ of: definition, options });
  return Object.defineProperties(configure, Object.getOwnPropertyDescriptors(definition)) as Configurable<T>;
}

/** A loss: a name, its options, and a pure function that emits its subgraph. */
export interface Loss<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** Paper and equation, or the function of PyTorch, that it follows. */
  readonly cites: string;
  readonly summary: string;
  /** What its labels say. Default `exclusive`. */
  readonly task?: Task;
  /** The loss of the same kind for multi-label heads, where this one is for exclusive classes. */
  readonly multiLabel?: Loss;
  readonly needsFeatures: boolean;
  /** Whether there is a place for class weights in it. Default true. */
  readonly takesWeights?: boolean;
  /** Whether it reads soft labels: see {@link LossInputs}. Default false. */
  readonly takesSoftLabels?: boolean;
  /** Whether the loss itself is made from the class counts; class weights are then `none` unless they are requested. */
  readonly needsCounts?: boolean;
  /** Whether the counts are priors of the classes: where training draws classes more or less often than they come, as they are drawn. */
  readonly countsArePriors?: boolean;
  readonly options: S;
  build(op: Pen, inputs: LossInputs, options: OptionValues<S>): LossOutputs;
}

/** Keeps the options' types, for `build` and for `myLoss({ … })`. */
export function defineLoss<const S extends OptionSpecs>(loss: Loss<S>): Configurable<Loss<S>> {
  return configurable(loss);
}

/** How class weights come from class counts. `weights` gives one weight per class, in float64. */
export interface Weighting<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly cites: string;
  readonly summary: string;
  readonly options: S;
  /** Whether the weights stay as they are; else they are normalised to mean 1. */
  readonly keepsScale?: boolean;
  /** Whether they are made from the counts, with these options. Default: always. */
  needsCounts?(options: OptionValues<S>): boolean;
  weights(counts: readonly number[], options: OptionValues<S>): readonly number[];
  /**
   * Where it weighs, for a multi-label loss, the labels that a sample has: one weight per label, or one for all. `undefined`: it takes the number
   * of `samples` to make them.
   */
  positiveWeights?(
    counts: readonly number[],
    samples: number | undefined,
    options: OptionValues<S>,
  ): readonly number[] | undefined;
}

/** Adds what is the same for all: the counts are checked, and the weights normalised to mean 1, unless they keep their scale. */
export function defineWeighting<const S extends OptionSpecs>(weighting: Weighting<S>): Configurable<Weighting<S>> {
  const weights: Weighting<S>['weights'] = (counts, options) => {
    if (weighting.needsCounts?.(options) !== false) checkClassCounts(counts);
    const made = weighting.weights(counts, options);
    return weighting.keepsScale ? made : normalizeToMeanOne(made);
  };
  return configurable({ ...weighting, weights });
}

/** What a gradient rule sees of one node. */
export interface GradientContext {
  readonly op: Pen;
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  /** The gradient of the first output, of its shape and type. */
  readonly dy: Value;
  /** The gradient of output `i`; zeros where none flows. */
  readonly dyOf: (i: number) => Value;
  /** The gradient of output `i`; `undefined` where none flows. */
  readonly flow: (i: number) => Value | undefined;
  /** Whether the gradient of input `i` is used: what is emitted for another is pruned, so rules need not ask. */
  readonly wants: (i: number) => boolean;
  /** Input `i`. @throws LossgraftError naming the node if it is absent. */
  readonly input: (i: number) => Value;
  /** The elements of a constant input, or `undefined` if it is absent. @throws LossgraftError if it is computed. */
  readonly constant: (i: number) => readonly number[] | undefined;
  /** The same, but `undefined` for an input that is computed or whose gradient is wanted: for cheaper forms. */
  readonly known: (i: number) => readonly number[] | undefined;
  /** Nodes that `write` emits stand before this node: a forward pass that keeps what its gradient needs. */
  readonly ahead: <T>(write: () => T) => T;
  /** What was computed ahead is equal to output `i`: a training step reads it instead, and needs this node no more. */
  readonly replaces: (i: number, value: Value) => void;
}

/**
 * The vector-Jacobian product of an operator: one gradient per input, `undefined` where none flows. The engine sums a gradient down
 * to its input's shape where the operator broadcast it, and accumulates.
 */
export type GradientRule = (context: GradientContext) => readonly (Value | undefined)[];

/** A rule of an operator with one differentiable input x and one output y. */
export function unary(
  rule: (context: GradientContext & { readonly x: Value; readonly y: Value }) => Value,
): GradientRule {
  return (context) => [rule({ ...context, x: context.input(0), y: output(context) })];
}

/** A rule of an operator with two differentiable inputs a, b and one output y. */
export function binary(
  rule: (
    context: GradientContext & { readonly a: Value; readonly b: Value; readonly y: Value },
  ) => readonly [Value, Value],
): GradientRule {
  return (context) => rule({ ...context, a: context.input(0), b: context.input(1), y: output(context) });
}

/** No gradient flows through this operator: piecewise constant, integer or boolean results. Not the same as no rule. */
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

/** Writes a composite in plain ai.onnx operators: one value per output. */
export type Expansion = (context: ExpansionContext) => readonly Value[];

/** What a rule sees that gives a node another form in lossgraft's own CPU session: channels in blocks, [N, C/b, H, W, b] in memory. */
export interface BlockedContext extends ExpansionContext {
  /** Channels in a block, b. */
  readonly block: number;
  /** [N, C, H, W] of a float32 value, with the batch that the session is made for; `undefined` where a length is not known. */
  readonly dims: (value: Value | undefined) => readonly [number, number, number, number] | undefined;
  /** Whether the value is there in blocks already. */
  readonly isBlocked: (value: Value | undefined) => boolean;
  /** Whether it is, or can be brought into blocks. */
  readonly canBlock: (value: Value | undefined) => boolean;
  /** The value in blocks, declared as [N, C↑, H, W] with C↑ the next multiple of b; channels beyond C are finite and mean nothing. */
  readonly blocked: (value: Value) => Value;
  /** The value as the graph had it. */
  readonly plain: (value: Value) => Value;
  /** The elements of a value that does not depend on data or parameters; `undefined` for another one. */
  readonly numbersOf: (value: Value) => readonly number[] | undefined;
  /** The same, of a value with one element. */
  readonly numberOf: (value: Value) => number | undefined;
  /** Whether a value does not change during training, so that the runtime itself blocks what reads it. */
  readonly isConstant: (value: Value) => boolean;
  /** Nodes that still read the value as the graph had it, this one included. */
  readonly readers: (value: Value) => number;
}

/** One output of a node, in blocks or as the graph had it. */
export type Placed = { readonly blocked: Value } | { readonly plain: Value };

/** The other form of a node, one entry per output; `undefined` where the node had better stay as it is. */
export type BlockedRule = (context: BlockedContext) => readonly (Placed | undefined)[] | undefined;

/** A state that an optimizer keeps for each parameter. All start at zero. */
export interface Slot {
  readonly name: string;
  /** `param`: of the parameter's shape; `scalar`: one number. float32. */
  readonly kind: 'param' | 'scalar';
}

export interface UpdateContext {
  readonly op: Pen;
  readonly param: Value;
  /** The gradient of the loss, of the parameter's shape. */
  readonly grad: Value;
  /** The learning rate, a scalar, this parameter's factor included. */
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
  /** The function of PyTorch that it follows, step by step. */
  readonly cites: string;
  readonly summary: string;
  readonly options: S;
  slots(options: OptionValues<S>): readonly Slot[];
  update(context: UpdateContext, options: OptionValues<S>): Update;
}

export function defineOptimizer<const S extends OptionSpecs>(optimizer: Optimizer<S>): Configurable<Optimizer<S>> {
  return configurable(optimizer);
}
