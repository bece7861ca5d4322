import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  augment,
  LossgraftError,
  noGradient,
  open,
  openData,
  run,
  train,
  trainGraph,
  unary,
  validate,
  writeTuned,
} from '../src/index.ts';
import { ROOT, temporaryFolder } from './support/cli.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const TRAIN = join(ROOT, 'fixtures/digits/train.npz');

async function codeOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error instanceof LossgraftError ? error.code : error;
  }
  return 'nothing was refused';
}

it('a model is opened from bytes as from its file, and what is made of it is the same', async () => {
  using file = await open(MODEL);
  using bytes = await open(readFileSync(MODEL), { name: 'model.onnx', dir: join(ROOT, 'fixtures/digits') });
  expect([file.path, bytes.path]).toEqual([MODEL, null]);
  expect(Object.keys(file).sort()).toEqual(['close', 'dir', 'name', 'opset', 'path']);
  const [a, b] = await Promise.all([file, bytes].map((model) => augment(model, { loss: 'ib' })));
  expect(b?.bytes()).toEqual(a?.bytes());
  const folder = temporaryFolder();
  await a?.write(join(folder, 'file.onnx'));
  await b?.write(join(folder, 'bytes.onnx'));
  expect(readFileSync(join(folder, 'bytes.onnx'))).toEqual(readFileSync(join(folder, 'file.onnx')));
  const state = (await trainGraph(bytes, { loss: 'ce' })).initialState();
  writeTuned(bytes, new Map([...state].filter(([name]) => !name.includes('.momentum'))), join(folder, 'tuned.onnx'));
  expect(readFileSync(join(folder, 'tuned.onnx'))).toEqual(readFileSync(MODEL));
  expect(await codeOf(() => open(MODEL, { name: 'other' }))).toBe('unused-option');
  expect(await codeOf(() => augment(MODEL as never, { loss: 'ib' }))).toBe('not-opened');
});

it('a model of bytes is trained like its file', async () => {
  using data = await openData(TRAIN);
  using file = await open(MODEL);
  using bytes = await open(readFileSync(MODEL), { name: 'model.onnx' });
  const options = { data, loss: 'ce', epochs: 1, report: false, threads: 1 } as const;
  const folder = temporaryFolder();
  const one = await train(file, { ...options, folder: join(folder, 'file') });
  const other = await train(bytes, { ...options, folder: join(folder, 'bytes') });
  expect(other.history.map(({ validationLoss }) => validationLoss)).toEqual(
    one.history.map(({ validationLoss }) => validationLoss),
  );
});

it('run takes a path, bytes, an opened model and what augment gave', async () => {
  const path = join(temporaryFolder(), 'augmented.onnx');
  using model = await open(MODEL);
  const augmented = await augment(model, { loss: 'ib' });
  await augmented.write(path);
  using reopened = await open(path);
  using inMemory = await open(readFileSync(path));
  using data = await openData(TRAIN);
  const results = [];
  for (const what of [path, readFileSync(path), reopened, inMemory, augmented]) results.push(await run(what, data));
  const [first] = results;
  expect(first?.samples).toBe(416);
  for (const { loss, perSample } of results) expect([loss, perSample]).toEqual([first?.loss, first?.perSample]);
});

it('using closes a model and data', async () => {
  const copy = join(temporaryFolder(), 'model.onnx');
  copyFileSync(MODEL, copy);
  const closed = await open(copy);
  {
    using model = closed;
    expect(model.opset).toBe(17);
  }
  await expect(augment(closed, { loss: 'ib' }).then((augmented) => augmented.bytes())).rejects.toMatchObject({
    code: 'file-closed',
  });
  const data = await openData(TRAIN);
  {
    using _again = data;
  }
  await expect(data.columns.get('images')?.read(0, 1)).rejects.toMatchObject({ code: 'data-closed' });
});

it('a signal ends run, openData and validate with its reason', async () => {
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  expect(await codeOf(() => openData(TRAIN, { signal }))).toBe(reason);
  expect(await codeOf(() => validate([join(ROOT, 'fixtures/cases/digits')], { signal }))).toBe(reason);
  using model = await open(MODEL);
  const augmented = await augment(model, { loss: 'ib' });
  using data = await openData(TRAIN);
  expect(await codeOf(() => run(augmented, data, { signal }))).toBe(reason);
  const stop = new AbortController();
  const seen: number[] = [];
  const onProgress = ({ done }: { readonly done: number }): void => {
    seen.push(done);
    if (seen.length === 2) stop.abort(reason);
  };
  expect(await codeOf(() => run(augmented, data, { signal: stop.signal, batchSize: 100, onProgress }))).toBe(reason);
  expect(seen).toEqual([100, 200]);
  const stopCases = new AbortController();
  let cases = 0;
  const onCase = (): void => {
    cases += 1;
    stopCases.abort(reason);
  };
  const folders = [join(ROOT, 'fixtures/cases/digits')];
  expect(await codeOf(() => validate(folders, { signal: stopCases.signal, onCase }))).toBe(reason);
  expect(cases).toBe(1);
});

it('one’s own gradient rule goes before lossgraft’s', async () => {
  using model = await open(MODEL);
  const options = { loss: 'ce', trainable: 'all' } as const;
  const ours = await trainGraph(model, options);
  const half = unary(({ op, x, dy }) => op.mul(op.mul(dy, op.cast(op.greater(x, 0), 'float32')), 0.5));
  const own = await trainGraph(model, { ...options, gradients: { Relu: half } });
  expect(own.bytes()).not.toEqual(ours.bytes());
  const stopped = await trainGraph(model, { ...options, gradients: { Relu: noGradient } });
  expect(stopped.report.trainable).toEqual(['fc2.weight', 'fc2.bias']);
  expect(await codeOf(() => trainGraph(model, { ...options, gradients: { Relu: 1 as never } }))).toBe('option-kind');
});

it('one listener hears all that a training tells', async () => {
  using model = await open(MODEL);
  using data = await openData(TRAIN);
  const kinds: string[] = [];
  const epochs: number[] = [];
  await train(model, {
    ...{ data, folder: join(temporaryFolder(), 'run'), loss: 'ce', trainable: 'head', epochs: 1, report: false },
    cacheFeatures: 'on',
    onEvent: (event) => {
      if (kinds.at(-1) !== event.kind) kinds.push(event.kind);
    },
    onEpoch: ({ epoch }) => epochs.push(epoch),
  });
  expect(kinds.slice(-4)).toEqual(['features', 'epoch', 'step', 'epoch']);
  expect(epochs).toEqual([0, 1]);
});
