import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/classes/countsByName.ts';
import { augment, open, openData, train } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const names = { names: ['ant', 'bee', 'cat'], from: 'config.json', arePlaceholders: false, areValues: false };

describe.each([
  ['classCounts', 'count'],
  ['classWeights', 'weight'],
  ['positiveWeights', 'weight'],
] as const)('%s by name', (kind, one) => {
  it('stand in the order of the scores', () => {
    expect(inOrder({ cat: 3, ant: 1, bee: 2 }, names, kind)).toEqual([1, 2, 3]);
    expect(inOrder({ 2: 3, 0: 1, 1: 2 }, undefined, kind)).toEqual([1, 2, 3]);
    expect(inOrder([3, 1, 2], undefined, kind)).toEqual([3, 1, 2]);
  });

  it.each([
    [{ cat: 3, ant: 1, bat: 2 }, names, `found "bat".*nearest is "cat"`],
    [
      { cat: 3, ant: 1 },
      names,
      `a ${one} for every class of the model, as config.json names them, found none for "bee"`,
    ],
    [{ cat: 3, ant: 1 }, undefined, `${one}s in the order of the model’s scores, since nothing tells`],
    [{ ant: 1, bee: 2 }, { ...names, names: ['ant', 'bee', 'ant'] }, 'names more than once'],
  ] as const)('%o of %o are refused', (values, known, message) => {
    expect(() => inOrder(values, known, kind)).toThrow(new RegExp(`option ${kind}.*${message}`, 's'));
  });
});

it('a loss of weights by name is that of the list', async () => {
  const classNames = Array.from({ length: 10 }, (_, k) => `digit ${9 - k}`);
  const list = classNames.map((_, k) => k + 1);
  const byName = Object.fromEntries(classNames.map((name, k) => [name, k + 1] as const).reverse());
  const model = await open(join(DIGITS, 'model.onnx'));
  using data = await openData(join(DIGITS, 'train.npz'));
  const weightsOf = async (classWeights: typeof byName | number[]) =>
    (await augment(model, { loss: 'ce', classWeights, classNames })).report.classWeights?.values;
  expect(await weightsOf(byName)).toEqual(await weightsOf(list));
  const lossOf = async (classWeights: typeof byName | number[]) => {
    const how = { loss: 'ce', epochs: 1, report: false, folder: temporaryFolder() } as const;
    const { history } = await train(model, { ...how, data, classNames, classWeights, trustLabels: true });
    return history.at(-1)?.trainLoss;
  };
  expect(await lossOf(byName)).toBe(await lossOf(list));
  expect(await lossOf(byName)).not.toBe(await lossOf(list.toReversed()));
  model.close();
});

it('weights of labels by name are those of the list', async () => {
  const model = await open(join(ROOT, 'fixtures/multiLabel/cnn.onnx'));
  const classNames = Array.from({ length: 14 }, (_, k) => `label ${k}`);
  const byName = Object.fromEntries(classNames.map((name, k) => [name, k + 1] as const).reverse());
  const { report } = await augment(model, { loss: 'bce', positiveWeights: byName, classNames });
  expect(report.classWeights).toEqual(
    (await augment(model, { loss: 'bce', positiveWeights: classNames.map((_, k) => k + 1) })).report.classWeights,
  );
  model.close();
});
