import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validate } from '../../src/index.ts';
import { decodeTensor, encodeTensor } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { validate as validateCases } from '../../src/validate/index.ts';
import type { CaseReport } from '../../src/validate/report.ts';
import { onnx } from '../onnx/models.ts';

const SELF_CONTAINED = join(import.meta.dirname, '../../fixtures/cases/loss/ib-self-contained');
let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lossgraft-validate-'));
  folder = join(root, 'case');
  cpSync(SELF_CONTAINED, folder, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

/** Rewrites one tensor of the case: `change` gets it and gives another. */
function rewrite(file: string, change: (tensor: Tensor, name: string) => [string, Tensor]): void {
  const path = join(folder, file);
  const { name, tensor } = decodeTensor(readFileSync(path));
  writeFileSync(path, encodeTensor(...change(tensor, name)));
}

function describeCase(changes: Readonly<Record<string, unknown>>): void {
  const path = join(folder, 'case.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));
}

async function onlyCase(): Promise<CaseReport> {
  const [report] = (await validate([folder])).cases;
  if (report === undefined) throw new Error('no case');
  return report;
}

const PER_SAMPLE = 'test_data_set_0/output_2.pb';

describe('a case that is right', () => {
  it('passes, with errors, tolerances and PyTorch float32 beside', async () => {
    const report = await validate([root]);
    expect(report).toMatchObject({ provider: 'cpu', verdict: 'pass', passed: 1, failed: 0 });
    const [output] = report.cases[0]?.outputs ?? [];
    expect(report.cases[0]?.outputs.map((o) => o.output).sort()).toEqual(['ib_factor', 'loss', 'loss_per_sample']);
    expect(output).toMatchObject({
      verdict: 'pass',
      tolerance: { rtol: 1e-6, atol: 1e-30 },
      dataSet: 'test_data_set_0',
    });
    expect(output?.errors?.maxUlp).toBeGreaterThan(0);
    expect(output?.float32?.maxRel).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('is found once, however it is named', async () => {
    expect((await validate([root, folder, `${folder}/.`])).cases).toHaveLength(1);
  });

  it('reports progress', async () => {
    const seen: string[] = [];
    await validate([root], { onCase: (report, total) => seen.push(`${report.verdict} of ${total}`) });
    expect(seen).toEqual(['pass of 1']);
  });
});

describe('one wrong value makes a case fail', () => {
  it('by 4e-6 of itself, naming the output and the element', async () => {
    rewrite(PER_SAMPLE, (tensor, name) => {
      const data = Float64Array.from(tensor.data, Number);
      data[1] = (data[1] ?? 0) * (1 + 4e-6);
      return [name, { ...tensor, data }];
    });
    const report = await onlyCase();
    expect(report.verdict).toBe('fail');
    const failed = report.outputs.filter((output) => output.verdict === 'fail');
    expect(failed.map((output) => output.output)).toEqual(['loss_per_sample']);
    expect(failed[0]?.problem).toMatch(/^1 of 3 out of tolerance; element 1: /);
    expect(failed[0]?.errors?.maxRel).toBeCloseTo(4e-6, 6);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'by %d where a number is computed',
    async (value) => {
      rewrite(PER_SAMPLE, (tensor, name) => [
        name,
        { ...tensor, data: Float64Array.from(tensor.data, Number).fill(value, 0, 1) },
      ]);
      expect((await onlyCase()).outputs.find((output) => output.verdict === 'fail')?.problem).toContain(
        `expected ${value}`,
      );
    },
  );

  it('by another shape, though the values are the same', async () => {
    rewrite(PER_SAMPLE, (tensor, name) => [name, { ...tensor, dims: [3, 1] }]);
    expect((await onlyCase()).outputs).toContainEqual(
      expect.objectContaining({ problem: 'shape [3], expected [3, 1]', errors: null }),
    );
  });

  it('by another kind of type', async () => {
    rewrite(PER_SAMPLE, (_, name) => [name, { dtype: 'int64', dims: [3], data: BigInt64Array.of(1n, 2n, 3n) }]);
    expect((await onlyCase()).outputs).toContainEqual(
      expect.objectContaining({ problem: 'type float32, expected int64' }),
    );
  });

  it('by an output that the model does not have', async () => {
    rewrite(PER_SAMPLE, (tensor) => ['loss_per_row', tensor]);
    const missing = { output: 'loss_per_row', verdict: 'fail', problem: 'no such output in the model' };
    expect((await onlyCase()).outputs).toContainEqual(expect.objectContaining(missing));
  });
});

describe('what is wrong with a case is said', () => {
  it.each([
    [{ tolerence: { rtol: 1 } }, '"tolerence"'],
    [{ tolerance: { rtol: 1e-6, abs: 1 } }, 'tolerance] expected keys among rtol, atol, found "abs"'],
    [{ tolerance: { rtol: '1e-6' } }, 'tolerance, rtol] expected a number of 0 or more'],
    [{ exceptions: [{ output: 'loss', rtol: 1 }] }, 'exceptions[0], reason] expected a string'],
    [{ exceptions: [{ output: 'los', rtol: 1, reason: 'r' }] }, 'found "los"'],
    [{ augment: { loss: 'ib', gama: 1 } }, 'option gama'],
    [{ augment: { loss: 'ibb' } }, 'found "ibb"'],
    [{ model: 'other.onnx' }, 'other.onnx'],
    [{ inputs: '../nowhere' }, 'logits_in'],
  ])('%j', async (changes, said) => {
    describeCase(changes);
    const report = await onlyCase();
    expect(report.verdict).toBe('fail');
    expect(report.error).toContain(said);
  });

  it('a case.json that is no JSON', async () => {
    writeFileSync(join(folder, 'case.json'), '{');
    expect((await onlyCase()).error).toContain('expected valid JSON');
  });

  it('a gap in the numbering, no outputs, no data set', async () => {
    rmSync(join(folder, 'test_data_set_0/output_1.pb'));
    expect((await onlyCase()).error).toContain('expected output_1.pb');
    for (const i of [0, 2]) rmSync(join(folder, `test_data_set_0/output_${i}.pb`));
    expect((await onlyCase()).error).toContain('no expected outputs');
    rmSync(join(folder, 'test_data_set_0'), { recursive: true });
    expect((await onlyCase()).error).toContain('expected a folder test_data_set_0');
  });

  it('one name twice', async () => {
    rewrite(PER_SAMPLE, (tensor) => ['loss', tensor]);
    expect((await onlyCase()).error).toContain('every name once');
  });

  it('an augment key without a function that augments', async () => {
    expect((await validateCases([folder])).cases[0]?.error).toContain('augmentCase');
  });

  it('a broken case does not hide the others', async () => {
    cpSync(folder, join(root, 'a-broken'), { recursive: true });
    writeFileSync(join(root, 'a-broken/model.onnx'), 'no model');
    expect(await validate([root])).toMatchObject({ verdict: 'fail', passed: 1, failed: 1 });
  });

  it('a folder that is missing or holds no case', async () => {
    mkdirSync(join(root, 'empty'));
    await expect(validate([folder, join(root, 'empty')])).rejects.toMatchObject({ code: 'no-case' });
    await expect(validate([join(root, 'nowhere')])).rejects.toMatchObject({ code: 'folder-not-found' });
  });
});

describe('an exception', () => {
  it('gives its output a tolerance of its own, and keeps the reason', async () => {
    rewrite(PER_SAMPLE, (tensor, name) => [
      name,
      { ...tensor, data: Float64Array.from(Array.from(tensor.data, Number), (x) => x * 1.001) },
    ]);
    describeCase({ exceptions: [{ output: 'loss_per_sample', rtol: 2e-3, reason: 'because' }] });
    const report = await onlyCase();
    expect(report.verdict).toBe('pass');
    expect(report.outputs).toContainEqual(
      expect.objectContaining({ exception: 'because', tolerance: { rtol: 2e-3, atol: 1e-30 } }),
    );
  });
});

describe("a user's own folder, without case.json", () => {
  /** The host itself: it gives back its two inputs. */
  beforeEach(() => {
    rmSync(join(folder, 'case.json'));
    rmSync(join(folder, 'float32'), { recursive: true });
    const set = join(folder, 'test_data_set_0');
    for (const i of [0, 1, 2]) rmSync(join(set, `output_${i}.pb`));
    rmSync(join(set, 'input_2.pb'));
    for (const i of [0, 1]) cpSync(join(set, `input_${i}.pb`), join(set, `output_${i}.pb`));
    for (const [i, name] of ['logits', 'features'].entries()) {
      rewrite(`test_data_set_0/output_${i}.pb`, (tensor) => [name, tensor]);
    }
  });

  it('passes at the default tolerance, which is stated', async () => {
    const report = await onlyCase();
    expect(report).toMatchObject({ verdict: 'pass' });
    expect(report.outputs.map(({ tolerance }) => tolerance)).toEqual([
      { rtol: 1e-3, atol: 1e-7 },
      { rtol: 1e-3, atol: 1e-7 },
    ]);
  });

  it("passes at a thousandth, and fails above it, as ONNX's own runner does", async () => {
    const scaled = (factor: number): void =>
      rewrite('test_data_set_0/output_0.pb', (tensor, name) => [
        name,
        { ...tensor, data: Float32Array.from(Array.from(tensor.data, Number), (x) => x * factor) },
      ]);
    scaled(1.0009);
    expect(await onlyCase()).toMatchObject({ verdict: 'pass' });
    scaled(1.0009);
    expect(await onlyCase()).toMatchObject({ verdict: 'fail' });
  });

  it('with a sequence is not supported, and that is what it says', async () => {
    const { ModelProto } = onnx;
    const model = ModelProto.decode(readFileSync(join(folder, 'model.onnx')));
    const elemType = onnx.TypeProto.Sequence.create({ elemType: { tensorType: { elemType: 1 } } });
    model.graph?.node?.push(
      onnx.NodeProto.create({ opType: 'SequenceConstruct', input: ['logits'], output: ['parts'] }),
    );
    model.graph?.output?.push(onnx.ValueInfoProto.create({ name: 'parts', type: { sequenceType: elemType } }));
    writeFileSync(join(folder, 'model.onnx'), ModelProto.encode(model).finish());
    const { error, verdict } = await onlyCase();
    expect(verdict).toBe('fail');
    expect(error).toMatch(/expected tensors .*, found a sequence, a map or an optional: output parts. .*not supported/);
  });

  it('takes tensors without names in order, and every data set', async () => {
    for (const file of ['input_0', 'input_1', 'output_0', 'output_1']) {
      rewrite(`test_data_set_0/${file}.pb`, (tensor) => ['', tensor]);
    }
    cpSync(join(folder, 'test_data_set_0'), join(folder, 'test_data_set_1'), { recursive: true });
    const { outputs, verdict } = await onlyCase();
    expect(verdict).toBe('pass');
    expect(outputs.map(({ dataSet, output }) => `${dataSet} ${output}`)).toEqual([
      'test_data_set_0 logits',
      'test_data_set_0 features',
      'test_data_set_1 logits',
      'test_data_set_1 features',
    ]);
  });

  it('refuses unnamed tensors that are too few', async () => {
    rmSync(join(folder, 'test_data_set_0/input_1.pb'));
    rewrite('test_data_set_0/input_0.pb', (tensor) => ['', tensor]);
    expect((await onlyCase()).error).toContain('by name or all of them in order');
  });

  it('says when the model is not there', async () => {
    renameSync(join(folder, 'model.onnx'), join(folder, 'net.onnx'));
    await expect(validate([folder])).rejects.toMatchObject({ code: 'no-case' });
  });
});
