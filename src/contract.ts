import type { Emitter } from './emit/index.ts';
import type { Value } from './ir/graph.ts';

/** What a loss reads. All float32 but `labels`. */
export interface LossInputs {
  /** Unnormalised scores, [N, C]. */
  readonly logits: Value;
  /** Class indices, int64 [N], each in 0…C−1. */
  readonly labels: Value;
  /** Σ|h| of each sample's features, [N]; there if the loss declares `needsFeatures`. */
  readonly featureNorm: Value | undefined;
  /** Class weights, [C]; `undefined` is all ones. */
  readonly weights: Value | undefined;
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

export interface ChoiceOption {
  readonly kind: 'choice';
  readonly default: string;
  readonly describe: string;
  readonly choices: readonly string[];
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The values of a loss's options. */
export type OptionValues<S extends OptionSpecs> = {
  readonly [K in keyof S]: S[K] extends NumberOption ? number : S[K] extends FlagOption ? boolean : string;
};

/** A loss: a name, its options, and a pure function that emits its subgraph. */
export interface Loss<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  /** Paper and equation, or the function of PyTorch, that it follows. */
  readonly cites: string;
  readonly summary: string;
  readonly needsFeatures: boolean;
  readonly options: S;
  build(op: Emitter, inputs: LossInputs, options: OptionValues<S>): LossOutputs;
}

/** Keeps the options' types for `build`. */
export function defineLoss<const S extends OptionSpecs>(loss: Loss<S>): Loss {
  return loss;
}

/** How class weights come from class counts. `weights` gives one weight per class, normalised to mean 1, in float64. */
export interface Weighting<S extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly cites: string;
  readonly summary: string;
  readonly options: S;
  weights(counts: readonly number[], options: OptionValues<S>): readonly number[];
}

export function defineWeighting<const S extends OptionSpecs>(weighting: Weighting<S>): Weighting {
  return weighting;
}
