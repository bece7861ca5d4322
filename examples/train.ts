import { open, openData, train } from 'lossgraft';

const model = await open('fixtures/digits/model.onnx');
const data = await openData('fixtures/digits/train.npz');
const tuned = await train(model, { data, folder: 'digits.run', baseline: true });
if (tuned.decision?.taken) await tuned.write('digits-tuned.onnx', { force: true });
model.close();

for (const { name, judged } of tuned.arms)
  console.log(`${name}: balanced accuracy ${judged?.balancedAccuracy.toFixed(3)}`);
console.log(tuned.decision?.why);
