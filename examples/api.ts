import { augment, inspect, open, openData, readCounts, run } from 'lossgraft';

const model = await open('fixtures/digits/model.onnx');
const { classes, features } = await inspect(model);

const classCounts = await readCounts('fixtures/digits/counts.json');
const augmented = await augment(model, { loss: 'ib', classCounts, alpha: 1000 });
await augmented.write('digits-ib.onnx', { force: true });
model.close();

const data = await openData('fixtures/digits/train.npz');
const result = await run('digits-ib.onnx', data);
data.close();

console.log(`${classes} classes, features: ${'name' in features ? features.name : features.problem}`);
console.log(`loss ${result.loss.toFixed(4)} over ${result.samples} samples`);
for (const { label, samples, means } of result.classes) {
  console.log(`class ${label}: ${samples} samples, mean factor ${means.ib_factor?.toFixed(0)}`);
}
