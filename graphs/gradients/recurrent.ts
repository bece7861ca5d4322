import type { GradientRule } from '../../src/contract.ts';
import { exact } from '../support/shapes.ts';
import { recurrentGradients } from './support/recurrence/directions.ts';
import { gru } from './support/recurrence/gru.ts';
import { lstm } from './support/recurrence/lstm.ts';
import { rnn } from './support/recurrence/rnn.ts';

export const LSTM: GradientRule = exact((context) => recurrentGradients(context, lstm));
export const GRU: GradientRule = exact((context) => recurrentGradients(context, gru(context.node)));
export const RNN: GradientRule = exact((context) => recurrentGradients(context, rnn));
