import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createEmitter } from '../../src/emit/index.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { toNumbers } from '../../src/numbers.ts';
import { blankModel, checkEdit, editedBytes } from '../../src/onnx/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Dim, Tensor } from '../../src/tensor.ts';
import { constantReader } from '../../src/transform/constantValues.ts';
import { dropout, STEP_COUNTER } from '../../src/transform/dropout.ts';
import { needsReference, python } from '../onnx/python.ts';
import { modelOf } from './oldModels.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-dropout-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const ROWS = 100;
const COLUMNS = 200;
const x: Tensor = {
  dtype: 'float32',
  dims: [ROWS, 10, COLUMNS / 10],
  data: new Float32Array(ROWS * COLUMNS).fill(3),
};

interface Export {
  readonly ratio?: number;
  readonly training?: boolean;
  /** The graph gives the mask. */
  readonly mask?: boolean;
  readonly shape?: readonly Dim[];
}

/** Two Dropouts of one input, as an exporter writes them. */
function exported({ ratio = 0.25, training = true, mask = false, shape = ['N', 10, 20] }: Export = {}): Uint8Array {
  const host = blankModel(17, 'dropout');
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const input = graph.define('x', 'float32', shape);
  graph.inputs.push(input);
  const settings = [op.scalar(ratio, 'float32'), ...(training ? [op.scalar(1, 'bool')] : [])];
  for (const name of ['a', 'b']) {
    const y = graph.define(name, 'float32', shape);
    const kept = graph.define(`${name}.mask`, 'bool', shape);
    graph.addNode({ opType: 'Dropout', name, inputs: [input, ...settings], outputs: [y, kept] });
    graph.outputs.push(y, ...(mask ? [kept] : []));
  }
  return editedBytes(host, graphEdit(host, graph));
}

/** With the counter of steps as an input and its next value as an output, where there is one. */
async function changed(bytes: Uint8Array, mode: 'off' | 'train', seed = 7) {
  const model = modelOf(bytes);
  const graph = buildGraph(model.proto);
  const { statistics, notes } = await dropout(createEmitter(graph, 17), { mode, seed, ofParts: false }, () =>
    constantReader(model, graph),
  );
  for (const { current, next } of statistics) {
    graph.initializers.delete(current);
    graph.inputs.push(current);
    const output = graph.define('next', 'float32', []);
    graph.addNode({ opType: 'Identity', inputs: [next], outputs: [output] });
    graph.outputs.push(output);
  }
  const edit = graphEdit(model.proto, graph);
  checkEdit(model.proto, edit);
  return { notes, bytes: editedBytes(model.proto, edit) };
}

function stepTensor(step: number): Tensor {
  return { dtype: 'float32', dims: [], data: Float32Array.of(step) };
}

/** The outputs a and b by step. */
async function runs(bytes: Uint8Array, steps: readonly number[]): Promise<{ a: number[]; b: number[] }[]> {
  const session = await openSession(bytes);
  const found = [];
  for (const step of steps) {
    const feeds = session.inputs.length > 1 ? { x, [STEP_COUNTER]: stepTensor(step) } : { x };
    const { a, b, next } = await session.run(feeds);
    if (next) expect(toNumbers(next)).toEqual([step + 1]);
    if (a && b) found.push({ a: toNumbers(a), b: toNumbers(b) });
  }
  await session.close();
  return found;
}

/** The correlation of two series of 0 and 1 times its standard error's inverse: a standard normal number if they are independent. */
function score(u: readonly number[], v: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mu, mv] = [mean(u), mean(v)];
  const covariance = mean(u.map((value, i) => (value - mu) * ((v[i] ?? 0) - mv)));
  return (covariance / Math.sqrt(mu * (1 - mu) * mv * (1 - mv))) * Math.sqrt(u.length);
}

describe('dropout off', () => {
  it('makes a training export the identity, and leaves others byte for byte', async () => {
    const off = await changed(exported(), 'off');
    expect(off.notes).toEqual(['2 Dropout nodes of a training export are turned off']);
    for (const { a, b } of await runs(off.bytes, [0])) expect([a, b]).toEqual([toNumbers(x), toNumbers(x)]);
    const inference = exported({ training: false });
    expect(await changed(inference, 'off')).toEqual({ notes: [], bytes: inference });
  });

  it('refuses where a mask is read', async () => {
    await expect(changed(exported({ mask: true }), 'off')).rejects.toThrow('readers of "a.mask"');
  });
});

describe('dropout train', () => {
  it.each([true, false])('keeps a share of 1 − ratio, scaled, of an export in training mode: %s', async (training) => {
    const { notes, bytes } = await changed(exported({ training }), 'train');
    expect(notes).toEqual(['2 Dropout nodes draw masks, seeded with 7']);
    for (const { a } of await runs(bytes, [0, 1])) {
      const kept = a.filter((value) => value !== 0);
      expect(new Set(kept.map((value) => value.toFixed(5)))).toEqual(new Set(['4.00000']));
      expect(Math.abs(kept.length / a.length - 0.75)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / a.length));
    }
  });

  it('draws the same for the same seed and step, whatever was drawn before and whether sizes are known', async () => {
    const { bytes } = await changed(exported(), 'train');
    const [first, , third] = await runs(bytes, [0, 1, 2]);
    expect(await runs(bytes, [2, 0])).toEqual([third, first]);
    const fixed = await changed(exported({ shape: x.dims }), 'train');
    expect(await runs(fixed.bytes, [0])).toEqual([first]);
    const other = await changed(exported(), 'train', 8);
    expect(await runs(other.bytes, [0])).not.toEqual([first]);
  });

  it('is independent over steps, nodes, rows and columns', { timeout: 30_000 }, async () => {
    const STEPS = 400;
    const { bytes } = await changed(exported({ ratio: 0.5 }), 'train');
    const drawn = await runs(
      bytes,
      Array.from({ length: STEPS }, (_, step) => step),
    );
    const isKept = (value: number): number => Math.sign(value);
    const kept = drawn.map(({ a, b }) => ({ a: a.map(isKept), b: b.map(isKept) }));
    const scores: number[] = [];
    for (let i = 0; i < 40; i++) {
      // One element over all steps against itself a step later, against its neighbours, and against the other node.
      const at = (i * 7919) % (ROWS * (COLUMNS - 1) - COLUMNS);
      const series = (offset: number, node: 'a' | 'b' = 'a') => kept.map((masks) => masks[node][at + offset] ?? 0);
      const own = series(0);
      const mean = own.reduce((sum, value) => sum + value, 0) / STEPS;
      scores.push((mean - 0.5) * 2 * Math.sqrt(STEPS), score(own.slice(1), own.slice(0, -1)));
      scores.push(score(own, series(1)), score(own, series(COLUMNS)), score(own, series(0, 'b')));
      scores.push(score(own.slice(1), series(0, 'b').slice(0, -1)));
    }
    for (const { a, b } of kept.slice(0, 40)) {
      // One mask against itself a column and a row further, and against the other node's.
      scores.push(score(a.slice(1), a.slice(0, -1)), score(a.slice(COLUMNS), a.slice(0, -COLUMNS)), score(a, b));
    }
    const variance = scores.reduce((sum, value) => sum + value * value, 0) / scores.length;
    // 360 squares of standard normal numbers: their mean has a standard deviation of √(2/360) = 0.075.
    expect(Math.abs(variance - 1)).toBeLessThan(0.3);
    expect(Math.max(...scores.map(Math.abs))).toBeLessThan(4.5);
  });

  it('draws the same bits without ONNX Runtime', needsReference, async () => {
    const { bytes } = await changed(exported(), 'train');
    const model = join(scratch, 'train.onnx');
    writeFileSync(model, bytes);
    const feeds = {
      x: { dtype: 'float32', dims: x.dims, data: toNumbers(x) },
      [STEP_COUNTER]: { dtype: 'float32', dims: [], data: [5] },
    };
    const { a, b } = JSON.parse(python('../transform/reference.py', JSON.stringify({ model, feeds })));
    expect([{ a, b }]).toEqual(await runs(bytes, [5]));
  });

  it('leaves a ratio of 0 alone, drops all at 1, and says where nothing is to be dropped', async () => {
    const { notes, bytes } = await changed(exported({ ratio: 0, training: false }), 'train');
    expect(notes[0]).toMatch(/^dropout is train, but this model has none/);
    for (const { a } of await runs(bytes, [0])) expect(a).toEqual(toNumbers(x));
    const all = await changed(exported({ ratio: 1 }), 'train');
    for (const { a } of await runs(all.bytes, [0])) expect(new Set(a)).toEqual(new Set([0]));
  });
});
