import type { ChoiceOption, LossInputs } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';
import { fused } from './fused.ts';
import { literal } from './literal.ts';
import { soft, softCrossEntropy } from './soft.ts';

export const formOption: ChoiceOption<'fused' | 'literal'> = {
  kind: 'choice',
  default: 'fused',
  choices: ['fused', 'literal'],
  describe: 'fused: faster, and exact for confident samples too; literal: follows the reference operation by operation',
};

/** Reads the logits in the requested form. It emits only what the loss uses. */
export function formOf(op: Pen, name: string, inputs: LossInputs): Form {
  if (inputs.areSoft) return soft(op, inputs);
  const labels = checkedLabels(op, inputs.labels);
  return name === 'literal' ? literal(op, inputs.logits, labels) : fused(op, inputs.logits, labels);
}

/** The cross-entropy times the label's class weight, [N]; with soft labels, each class's share times its weight. */
export function weightedCrossEntropy(op: Pen, form: Form, inputs: LossInputs): Value {
  return inputs.areSoft ? softCrossEntropy(op, inputs) : weighted(op, form.crossEntropy(), inputs);
}

/** A number per sample, [N], times the label's class weight. */
export function weighted(op: Pen, perSample: Value, { weights, labels }: LossInputs): Value {
  return weights === undefined ? perSample : op.mul(perSample, op.gather(weights, labels));
}

/** In ONNX negative indices count from the end. Moved out of range, they are refused like other invalid labels. */
function checkedLabels(op: Pen, labels: Value): Value {
  return op.where(op.less(labels, 0), OUT_OF_RANGE, labels);
}

const OUT_OF_RANGE = 2 ** 31 - 1;
