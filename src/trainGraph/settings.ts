import { resolveOptions } from '../options/declared.ts';
import type { Precision } from '../transform/halfPrecision.ts';
import type { OptimizeRequest } from '../transform/optimize.ts';
import type { PrepareRequest } from '../transform/prepare.ts';

/** The settings that determine a step's numbers beside the loss and the batch, as requested or by default. */
export interface StepSettings {
  readonly optimizer: string;
  readonly optimizerOptions: Readonly<Record<string, number | boolean | string>>;
  readonly clipNorm: number | null;
  readonly accumulate: number;
  readonly noDecayForVectors: boolean;
  readonly rateFactors: readonly { readonly pattern: string; readonly factor: number }[];
  readonly batchNorm: 'frozen' | 'train';
  readonly dropout: 'off' | 'train';
  /** The seed of Dropout masks; null if none are drawn. */
  readonly seed: number | null;
  readonly keepTies: boolean;
  readonly precision: Precision;
}

export function settingsOf(
  request: OptimizeRequest & PrepareRequest & { readonly precision?: Precision },
): StepSettings {
  const { optimizer, optimizerOptions, dropout = 'off' } = request;
  return {
    optimizer: optimizer.name,
    optimizerOptions: resolveOptions(optimizer.options, optimizerOptions, `optimizer ${optimizer.name}`),
    clipNorm: request.clipNorm ?? null,
    accumulate: request.accumulate ?? 1,
    noDecayForVectors: request.noDecayForVectors ?? false,
    rateFactors: request.rateFactors ?? [],
    batchNorm: request.batchNorm ?? 'frozen',
    dropout,
    seed: dropout === 'train' ? (request.seed ?? 0) : null,
    keepTies: request.keepTies ?? false,
    precision: request.precision ?? 'float32',
  };
}
