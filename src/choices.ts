import type { losses, optimizers, weightings } from '../graphs/catalogue.ts';
import type { Configured, Loss, Optimizer, OptionSpecs, OptionValues, Weighting } from './contract.ts';
import type { OptionsOf } from './options/row.ts';
import type { augmentRows } from './tables/augment.ts';
import type { trainRows } from './tables/train.ts';
import type { trainGraphRows } from './tables/trainGraph.ts';

/** The names of losses. */
export type LossName = keyof typeof losses;
export type WeightingName = keyof typeof weightings;
export type OptimizerName = keyof typeof optimizers;

/** A loss by name, and with class weights: `ce+inverse`. */
export type LossWithWeights = LossName | `${LossName}+${WeightingName}`;

/** The options that an entry declares, without those that the verb has under the same name. */
type DeclaredBy<T, Taken> = T extends { readonly options: infer S extends OptionSpecs }
  ? Omit<Partial<OptionValues<S>>, Taken & PropertyKey>
  : never;

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type ValueIn<Union, K> = Union extends unknown ? (K extends keyof Union ? Union[K] : never) : never;

/** The options that any entry of a registry declares. */
type AnyOf<Registry, Taken> = {
  readonly [K in KeysOf<DeclaredBy<Registry[keyof Registry], Taken>>]?: ValueIn<
    DeclaredBy<Registry[keyof Registry], Taken>,
    K
  >;
};

/** A loss by name with its options beside it, or a value that carries them: `ib({ alpha: 100 })`. */
type LossAndOptions<Taken> =
  | { [N in LossName]: { readonly loss: N } & DeclaredBy<(typeof losses)[N], Taken> }[LossName]
  | { readonly loss: Loss | Configured<Loss> };

/** The same for an optimizer; the default is `sgd`. */
type OptimizerAndOptions<Taken> =
  | ({ readonly optimizer?: 'sgd' } & DeclaredBy<(typeof optimizers)['sgd'], Taken>)
  | {
      [N in Exclude<OptimizerName, 'sgd'>]: { readonly optimizer: N } & DeclaredBy<(typeof optimizers)[N], Taken>;
    }[Exclude<OptimizerName, 'sgd'>]
  | { readonly optimizer: Optimizer | Configured<Optimizer> };

interface Weights {
  /** A name, a weighting with options, such as `effective({ beta: 0.999 })`, or one weight per class. */
  readonly classWeights?:
    | WeightingName
    | Weighting
    | Configured<Weighting>
    | readonly number[]
    | Readonly<Record<string, number>>;
  /** The same as `classWeights`. */
  readonly weights?:
    | WeightingName
    | Weighting
    | Configured<Weighting>
    | readonly number[]
    | Readonly<Record<string, number>>;
}

type ByName = 'loss' | 'optimizer' | keyof Weights;

/** Options of `augment`: its own, and those of the loss and of the class weights. */
export type AugmentOptions = Omit<OptionsOf<typeof augmentRows>, ByName> &
  Weights &
  AnyOf<typeof weightings, keyof typeof augmentRows> &
  LossAndOptions<keyof typeof augmentRows>;

/** Options of `trainGraph`: its own, and those of the loss, the class weights and the optimizer. */
export type TrainGraphOptions = Omit<OptionsOf<typeof trainGraphRows>, ByName> &
  Weights &
  AnyOf<typeof weightings, keyof typeof trainGraphRows> &
  LossAndOptions<keyof typeof trainGraphRows> &
  OptimizerAndOptions<keyof typeof trainGraphRows>;

/** Options of `train`: its own, and those of all losses, class weights and optimizers, since it may train several. */
export type TrainOptions = Omit<OptionsOf<typeof trainRows>, ByName | 'compare' | 'firstLoss'> &
  Weights & {
    /** A name, a loss, or one with options: `ib({ alpha: 100 })`. Default `ib`. */
    readonly loss?: LossName | Loss | Configured<Loss>;
    /** A name, an optimizer, or one with options: `adamw({ weightDecay: 0.05 })`. Default `sgd`. */
    readonly optimizer?: OptimizerName | Optimizer | Configured<Optimizer>;
    /** Further losses to train with from the same start. */
    readonly compare?: readonly (LossWithWeights | `${LossName}+sampled`)[];
    /** The loss of the first phase. Default `ce`, without class weights. */
    readonly firstLoss?: LossWithWeights;
  } & AnyOf<typeof losses, keyof typeof trainRows> &
  AnyOf<typeof weightings, keyof typeof trainRows> &
  AnyOf<typeof optimizers, keyof typeof trainRows>;
