import type { GradientRule } from '../../src/contract.ts';
import { exact } from '../support/shapes.ts';
import { attentionGradients } from './support/attention.ts';
import { rotaryGradients } from './support/rotary.ts';

/** Gradients of the queries, keys and values, and of a mask added to the scores. */
export const Attention: GradientRule = exact(attentionGradients, (i) => i < 3);

/** dy rotated back; the caches' gradients are sums over the heads. */
export const RotaryEmbedding: GradientRule = exact(rotaryGradients);
