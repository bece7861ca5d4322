/** A few epochs by lossgraft, timed for time.ts: a line of JSON for each. */
import { open, openData, train } from '../../src/index.ts';
import { openOptions, works } from './works.ts';

const { name, data: folder, loss, seed, folder: run, model: path, epochs } = JSON.parse(process.argv[2] ?? '{}');
const work = works[name];
if (!work) throw new Error(name);
const { rate, momentum, weightDecay, batch } = work.schedule;
const of = openOptions(work);
const data = await openData(work.train(folder), of);
const test = await openData(work.test(folder), { ...of, otherwiseSplit: 'test' });
const model = await open(path);
await train(model, {
  ...{
    data,
    validation: test,
    folder: run,
    loss,
    epochs,
    learningRate: rate * work.schedule.factor,
    momentum,
    weightDecay,
  },
  ...{ batchSize: batch, seed, mode: 'replace', select: 'last' },
  ...(loss === 'ib' ? { alpha: work.alpha } : {}),
  ...(work.imbalance === undefined ? {} : { imbalance: work.imbalance }),
  onEpoch: ({ epoch, trainSeconds, seconds }) => {
    if (epoch > 0) console.log(JSON.stringify({ trainSeconds, seconds }));
  },
  report: false,
});
model.close();
data.close();
test.close();
