import type { GradientContext, GradientRule } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { mask } from './masks.ts';

/**
 * Like PyTorch 2.15 at the bounds: numeric bounds (clamp, hardtanh, relu6) stop the gradient where x equals one, and tensor bounds take
 * half of it.
 */
export const clipGradients: GradientRule = (context) => {
  const { inputs, known } = context;
  const areNumbers = [1, 2].every((i) => inputs[i] === undefined || known(i) !== undefined);
  return areNumbers ? [withinNumbers(context)] : betweenTensors(context);
};

/** dy · [low < y < high] */
function withinNumbers({ op, inputs, outputs, dy }: GradientContext): Value {
  const [, low, high] = inputs;
  const [y = dy] = outputs;
  const above = low && op.greater(y, low);
  const below = high && op.less(y, high);
  const inside = above && below ? op.and(above, below) : (above ?? below);
  return inside ? op.mul(dy, mask(op, inside, dy)) : dy;
}

function betweenTensors({ op, input, inputs, dy }: GradientContext): (Value | undefined)[] {
  const x = input(0);
  const [, low, high] = inputs;
  const fromLow = low && overshoot(op, low, x);
  const fromHigh = high && overshoot(op, x, high);
  const dLow = fromLow && op.mul(dy, fromLow);
  const dHigh = fromHigh && op.mul(dy, fromHigh);
  const rest = dLow ? op.sub(dy, dLow) : dy;
  return [dHigh ? op.sub(rest, dHigh) : rest, dLow, dHigh].slice(0, inputs.length);
}

/** 1 where a > b, 1/2 where they are equal, else 0. */
function overshoot(op: Pen, a: Value, b: Value): Value {
  return op.mul(op.add(op.sign(op.sub(a, b)), 1), 0.5);
}
