import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { int } from '../../src/ir/attributes.ts';
import { open } from '../../src/model.ts';
import { decodeTensor } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { CLASSED, changeAt, changes, RAISED } from '../../src/transform/adapters/changes.ts';
import { SINCE } from '../../src/transform/adapters/history.ts';
import { needsPython, needsTestdata, python, testdata } from '../onnx/python.ts';
import { floats, modelOf, type OldModel, oldBytes, oldModels, raisedBytes, results } from './oldModels.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-raise-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('the table of changes', () => {
  const between = (version: number) => version > RAISED.first && version <= RAISED.last;
  const all = Object.keys(SINCE).flatMap((op) =>
    changes(op)
      .filter(between)
      .map((version) => `${op} ${version}`),
  );

  it('classes every change of every operator between the first and the last opset once, and no other', () => {
    expect(CLASSED.toSorted()).toEqual(all.toSorted());
  });

  it('refuses what it does not know', () => {
    expect(changeAt('Attention', 24)?.kind).toBe('refused');
    expect(changeAt('Relu', 12)).toBeUndefined();
  });
});

const name = (old: OldModel) =>
  `${old.op} of ${old.opset} ${Object.entries(old.attributes ?? {}).map(([key, { value }]) => `${key}=${value}`)}`;

describe.each([false, true])('raised models, symbolic: %s', (symbolic) => {
  const targets = [11, 13, 14, 17];
  it.each(oldModels.map((old, i) => [`${i} ${name(old)}`, old] as const))('%s give the same bits', async (_, old) => {
    const bytes = await oldBytes(old, symbolic);
    const expected = await results(bytes, old.inputs);
    for (const to of targets.filter((target) => target > old.opset)) {
      const raised = await raisedBytes(modelOf(bytes), to);
      expect(modelOf(raised).opset).toBe(to);
      expect(await results(raised, old.inputs), `to ${to}`).toEqual(expected);
    }
  });
});

describe("Python onnx's opinion", needsPython('onnx'), () => {
  it('passes the full check, and agrees with version_converter where that can convert', async () => {
    const rows = await Promise.all(
      oldModels.map(async (old, i) => {
        const original = await oldBytes(old, false);
        const files = ['old', 'raised', 'converted'].map((kind) => join(scratch, `${i}.${kind}.onnx`));
        const [oldFile = '', raisedFile = '', converted = ''] = files;
        writeFileSync(oldFile, original);
        writeFileSync(raisedFile, await raisedBytes(modelOf(original), 17));
        return { old, converted, raisedFile, line: `${oldFile} ${raisedFile} 17 ${converted}` };
      }),
    );
    const lines = rows.map(({ line }) => line).join('\n');
    const verdicts: { check: string | null; convert: string | null }[] = JSON.parse(
      python('../transform/convert.py', lines),
    );
    let agreed = 0;
    const differ = new Set<string>();
    for (const [i, { old, converted, raisedFile }] of rows.entries()) {
      expect(verdicts[i]?.check, name(old)).toBeNull();
      if (verdicts[i]?.convert !== null) continue;
      const theirs = await results(converted, old.inputs).catch(() => undefined);
      if (theirs === undefined) continue;
      const ours = Object.values(await results(raisedFile, old.inputs));
      if (JSON.stringify(ours) === JSON.stringify(Object.values(theirs))) agreed++;
      else differ.add(`${old.op} ${old.opset}`);
    }
    // Wrong in the converter: it keeps Hardmax's axis, and gives a resize the pixel rules of opset 11.
    expect([...differ]).toEqual(['Hardmax 11', 'Hardmax 12', 'Upsample 7', 'Upsample 9', 'Resize 10']);
    expect(agreed).toBeGreaterThan(20);
  });
});

describe('what cannot be raised', () => {
  const refusals: readonly (readonly [string, OldModel])[] = [
    [
      'statistics for each position',
      {
        op: 'BatchNormalization',
        opset: 8,
        attributes: { spatial: int(0) },
        inputs: [floats(2, 3)],
        constants: [1, 2, 3, 4].map(() => floats(3)),
      },
    ],
    ['readers of "y1"', { op: 'Dropout', opset: 9, inputs: [floats(2, 3)], outputs: 2 }],
    [
      'scales that are computed',
      {
        op: 'Resize',
        opset: 10,
        inputs: [floats(1, 1, 2, 2), { dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 2, 2) }],
      },
    ],
    ['NotAnOperator, which does not exist there', { op: 'NotAnOperator', opset: 10, inputs: [] }],
    [
      'LayerNormalization, which does not exist there',
      { op: 'LayerNormalization', opset: 12, inputs: [floats(2, 3)], constants: [floats(3)] },
    ],
  ];
  it.each(refusals)('is refused by name: %s', async (found, old) => {
    const bytes = await oldBytes({ ...old }, false).catch(() => undefined);
    if (bytes === undefined) return expect(old.op).toBe('NotAnOperator');
    await expect(raisedBytes(modelOf(bytes), 17)).rejects.toMatchObject({ code: 'cannot-raise' });
    await expect(raisedBytes(modelOf(bytes), 17)).rejects.toThrow(found);
  });

  it('and neither are opsets out of range', async () => {
    const bytes = await oldBytes({ op: 'Relu', opset: 13, inputs: [floats(2)] }, false);
    await expect(raisedBytes(modelOf(bytes), 18)).rejects.toThrow('an opset up to 17');
    expect(await raisedBytes(modelOf(bytes), 13)).toEqual(bytes);
  });
});

const models = testdata('model.onnx').filter((file) => file.includes('/node/'));

/** Models of the testdata that ONNX Runtime runs at their own opset; sequences and optionals are no tensors. */
async function feedsOf(file: string, inputs: number): Promise<Tensor[] | undefined> {
  try {
    return Array.from({ length: inputs }, (_, i) => {
      const pb = join(dirname(file), 'test_data_set_0', `input_${i}.pb`);
      return decodeTensor(readFileSync(pb)).tensor;
    });
  } catch {
    return undefined;
  }
}

const REFUSED = ['test_resize_downsample_sizes_nearest_tf_half_pixel_for_nn', 'test_scan_sum'];

describe('the node tests of libonnx-testdata', needsTestdata(models), () => {
  it('give the same bits at opset 17', { timeout: 120_000 }, async () => {
    const refused: string[] = [];
    let compared = 0;
    for (const file of models) {
      const model = await open(file);
      try {
        if (model.opset < 7 || model.opset >= 17) continue;
        const feeds = await feedsOf(file, model.proto.graph.inputs.length);
        const expected = feeds && (await results(file, feeds).catch(() => undefined));
        if (!feeds || !expected) continue;
        const raised = await raisedBytes(model, 17).catch(() => undefined);
        if (!raised) refused.push(file.split('/').at(-2) ?? file);
        else expect(await results(raised, feeds), file).toEqual(expected);
        compared++;
      } finally {
        model.close();
      }
    }
    expect(refused).toEqual(REFUSED);
    expect(compared).toBeGreaterThan(700);
  });
});
