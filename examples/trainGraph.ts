import { open, readCounts, trainGraph } from 'lossgraft';

const model = await open('fixtures/digits/model.onnx');
const classCounts = await readCounts('fixtures/digits/counts.json');
const step = await trainGraph(model, {
  loss: 'ib',
  classCounts,
  trainable: 'fc*',
  optimizer: 'adamw',
  weightDecay: 0.05,
  form: 'loop',
  stepsPerRun: 20,
});
const files = await step.write('digits-step.onnx', { force: true });
model.close();

console.log(`${files.join(' and ')} train ${step.report.trainable.join(', ')}`);
for (const { name, kind, shape } of step.report.states) console.log(`${kind} ${name} [${shape.join(', ')}]`);
