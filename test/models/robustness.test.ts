import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { augment, LossgraftError, open, trainGraph } from '../../src/index.ts';
import { type ByteParts, concat, intField, lenField, stringField } from '../../src/onnx/wire.ts';
import { onnx, smallModel } from '../onnx/models.ts';
import { ROOT } from '../support/cli.ts';
import { generator } from '../support/grafted.ts';
import type { Attempt } from './attempt.ts';
import { attemptAll, type Run, seededFlips } from './robustness.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const root = mkdtempSync(join(tmpdir(), 'robustness-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Not the one that goes when a test ends: tests run side by side here. */
function temporaryFolder(): string {
  return mkdtempSync(join(root, 'case-'));
}

const SLOWEST = 10_000;
const MEMORY = 500;

/** No crash, no error of another kind, nothing left after a failure, and time and memory within bounds. */
function expectSound({ attempts, exit, stderr }: Run, count: number): void {
  const last = attempts.at(-1)?.model ?? 'none';
  expect(exit, `after ${last}: ${stderr.slice(-2000)}`).toBe(0);
  expect(attempts).toHaveLength(count);
  const wrong = attempts.filter(({ outcome, left }) => outcome.startsWith('defect') || left.length > 0);
  expect(wrong.slice(0, 5)).toEqual([]);
  expect(Math.max(...attempts.map(({ milliseconds }) => milliseconds))).toBeLessThan(SLOWEST);
  expect(attempts.at(-1)?.memory).toBeLessThan(MEMORY);
}

function outcomes(attempts: readonly Attempt[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outcome } of attempts) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

describe('a damaged model, from open to a written file', () => {
  it('cut off at 200 places', async () => {
    const folder = temporaryFolder();
    const bytes = readFileSync(MODEL);
    const random = generator(11);
    const names = Array.from({ length: 200 }, (_, i) => {
      const name = `cut-${i}.onnx`;
      writeFileSync(join(folder, name), bytes.subarray(0, Math.floor(random() * bytes.length)));
      return name;
    });
    const run = await attemptAll(folder, names);
    expectSound(run, 200);
    expect(outcomes(run.attempts).get('ok')).toBeUndefined();
  });

  it.concurrent.each([1, 2])('1,000 flipped bits, seed %i', { timeout: 300_000 }, async (seed) => {
    const folder = temporaryFolder();
    const flips = seededFlips(readFileSync(MODEL), 1000, seed);
    const run = await attemptAll(
      folder,
      flips.map((flip) => JSON.stringify(flip)),
      MODEL,
    );
    expectSound(run, 1000);
    const counts = outcomes(run.attempts);
    expect(counts.get('ok')).toBeGreaterThan(100);
    expect(counts.size).toBeGreaterThan(6);
  });
});

/** A model of graphs within graphs: graph → node → attribute → graph. */
function nested(times: number): ByteParts {
  let parts: ByteParts = [stringField(2, 'innermost')];
  for (let i = 0; i < times; i++) {
    const attribute = lenField(5, [stringField(1, 'body'), concat(lenField(6, parts)), intField(20, 5)]);
    parts = [concat(lenField(1, [stringField(4, 'If'), ...attribute]))];
  }
  return [intField(1, 8), ...lenField(7, parts), ...lenField(8, [intField(2, 17)])];
}

describe('what is no model, or no classifier', () => {
  const graph = { name: 'g', node: [{ opType: 'Relu', input: ['x'], output: ['y'] }], input: [], output: [] };
  const cases: Readonly<Record<string, readonly [outcome: string, make: (path: string) => void]>> = {
    nothing: ['not-onnx', (path) => writeFileSync(path, '')],
    text: ['not-onnx', (path) => writeFileSync(path, 'this is a model')],
    arrays: ['not-onnx', (path) => cpSync(join(ROOT, 'fixtures/digits/train.npz'), path)],
    folder: ['model-folder', (path) => mkdirSync(path)],
    link: ['open-failed', (path) => symlinkSync('/nowhere/model.onnx', path)],
    absent: ['open-failed', () => undefined],
    'nested-10000': ['too-deep', (path) => writeFileSync(path, concat(nested(10_000)))],
    'no-outputs': ['no-logits', (path) => writeFileSync(path, smallModel({ graph: { ...smallGraph(), output: [] } }))],
    'no-such-input': ['model-not-loaded', (path) => writeFileSync(path, smallModel({ graph }))],
  };

  it('is refused by name', async () => {
    const folder = temporaryFolder();
    for (const [name, [, make]] of Object.entries(cases)) make(join(folder, name));
    const names = Object.keys(cases);
    const run = await attemptAll(folder, names);
    expectSound(run, names.length);
    expect(outcomeByModel(run)).toEqual(Object.fromEntries(names.map((name) => [name, cases[name]?.[0]])));
  });
});

function outcomeByModel({ attempts }: Run): Record<string, string> {
  return Object.fromEntries(attempts.map(({ model, outcome }) => [model, outcome]));
}

function smallGraph(): object {
  return onnx.ModelProto.toObject(onnx.ModelProto.decode(smallModel())).graph ?? {};
}

const BESIDE = 'w.bin';

/** x·w with w in another file. */
function externalModel(location: string, more: readonly { key: string; value: string }[] = []): Uint8Array {
  const type = (dims: readonly (string | number)[]) => ({
    tensorType: {
      elemType: 1,
      shape: { dim: dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) },
    },
  });
  const externalData = [{ key: 'location', value: location }, ...more];
  return smallModel({
    graph: {
      name: 'g',
      node: [{ name: 'head', opType: 'MatMul', input: ['x', 'w'], output: ['y'] }],
      initializer: [{ name: 'w', dataType: 1, dims: [2, 3], dataLocation: 1, externalData }],
      input: [{ name: 'x', type: type(['N', 2]) }],
      output: [{ name: 'y', type: type(['N', 3]) }],
    },
  });
}

describe('external data', () => {
  const cases: Readonly<Record<string, readonly [outcome: string, model: Uint8Array]>> = {
    beside: ['ok', externalModel(BESIDE)],
    missing: ['external-missing', externalModel('no.bin')],
    above: ['external-escape', externalModel('../w.bin')],
    around: ['external-escape', externalModel('sub/../../w.bin')],
    absolute: ['external-escape', externalModel('/etc/hostname')],
    link: ['external-escape', externalModel('link.bin')],
    nameless: ['external-entry', externalModel('')],
  };

  function prepared(): string {
    const folder = temporaryFolder();
    writeFileSync(join(folder, BESIDE), Float32Array.of(1, 2, 3, 4, 5, 6));
    symlinkSync('/etc/hostname', join(folder, 'link.bin'));
    for (const [name, [, model]] of Object.entries(cases)) writeFileSync(join(folder, name), model);
    return folder;
  }

  it('is found beside the model, and nowhere else', async () => {
    const names = Object.keys(cases);
    const run = await attemptAll(prepared(), names);
    expectSound(run, names.length);
    expect(outcomeByModel(run)).toEqual(Object.fromEntries(names.map((name) => [name, cases[name]?.[0]])));
  });

  it.each(Object.entries(cases))('a model written beside its origin is held to the same: %s', async (name, [code]) => {
    const folder = prepared();
    const files = readdirSync(folder).sort();
    const write = async (): Promise<void> => {
      using model = await open(join(folder, name));
      await (await augment(model, { loss: 'ib' })).write(join(folder, 'augmented.onnx'));
    };
    expect(await codeOf(write())).toBe(code);
    expect(readdirSync(folder).sort()).toEqual(code === 'ok' ? [...files, 'augmented.onnx'].sort() : files);
  });

  it.each([
    ['cut off', externalModel(BESIDE), 20],
    ['an offset behind its end', externalModel(BESIDE, [{ key: 'offset', value: '4' }]), 24],
    ['another length', externalModel(BESIDE, [{ key: 'length', value: '20' }]), 24],
  ])('that is too short: refused where it is read (%s)', async (_what, bytes, length) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'model.onnx'), bytes);
    writeFileSync(join(folder, BESIDE), new Uint8Array(length));
    const model = await open(join(folder, 'model.onnx'));
    await augment(model, { loss: 'ib' });
    const step = await trainGraph(model, { loss: 'ib' });
    expect(await codeOf(Promise.resolve().then(() => step.initialState()))).toBe('tensor-size');
    const written = await codeOf(step.write(join(folder, 'step.onnx')));
    expect(written).toBe('tensor-size');
    expect(readdirSync(folder).sort()).toEqual(['model.onnx', BESIDE]);
    model.close();
  });
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof LossgraftError) return error.code;
    throw error;
  }
}
