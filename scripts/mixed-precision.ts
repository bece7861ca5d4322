/**
 * `npm run check:mixed-precision`: trains three networks for 300 steps in float32 and in both kinds of mixed precision, on the CPU, where half
 * precision is rounded after each operator, and fails where a loss curve is more than 1 % off float32's.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Course, largestDeviation, lossCurve } from '../test/support/lossCurves.ts';

const NETWORKS = fileURLToPath(new URL('../fixtures/networks', import.meta.url));
const STEPS = 300;
const BOUND = 0.01;
const COURSES: Readonly<Record<string, Omit<Course, 'steps'>>> = {
  MLP: { model: 'mlp/torchscript-opset17-eval/model.onnx', classes: 6, rate: 0.02 },
  // Rounding grows as training goes on, the faster the higher the rate: at 0.01 ten steps differ by up to 3 %, fifty by 0.8 %.
  'CNN with BatchNorm in training mode': {
    model: 'resnet/torchscript-opset17-train/model.onnx',
    classes: 5,
    rate: 0.003,
    batch: 32,
    batchNorm: 'train',
  },
  'small BERT': { model: 'transformer/torchscript-opset17-eval/model.onnx', classes: 5, rate: 0.02 },
};

let isWithin = true;
for (const [name, course] of Object.entries(COURSES)) {
  const own = { ...course, model: join(NETWORKS, course.model), steps: STEPS };
  const float32 = await lossCurve(own, 'float32');
  for (const precision of ['mixed', 'mixed-bfloat16'] as const) {
    const { losses, skipped, scale } = await lossCurve(own, precision);
    const deviation = largestDeviation(float32.losses, losses);
    isWithin &&= deviation < BOUND;
    const scaled = scale === undefined ? '' : `, ${skipped} steps skipped, loss scale ${scale}`;
    const [first = 0, last = 0] = [losses[0], losses.at(-1)];
    console.log(
      `${name}, ${precision}: loss ${first.toFixed(4)} to ${last.toFixed(4)} (float32 ${float32.losses.at(-1)?.toFixed(4)}), ` +
        `means of 10 steps differ by up to ${(100 * deviation).toFixed(2)} %${scaled}`,
    );
  }
}
process.exitCode = isWithin ? 0 : 1;
