import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import { scan } from '../../src/onnx/index.ts';
import { needsPython, python } from '../onnx/python.ts';
import { lossesByName } from '../support/catalogue.ts';
import { expectGraft, expectHalfGraft } from '../support/expectGraft.ts';
import { augmentFile, inputsOf, runBytes, seededFeeds } from '../support/grafted.ts';
import { graftHost, HOSTS, hostPath, refusalOf } from './hosts.ts';

/** What has to be found in a host of fixtures/pytorch/hosts.py, at each of its opsets. */
interface Found {
  readonly logits: string;
  readonly features: string;
  /** Of the features for three rows. */
  readonly dims: readonly number[];
  readonly tail?: string;
}

const ROWS = [3, 5];
const MAPS = [3, 5, 4, 4];
const PIXEL = [3, 5, 1, 1];
const z = (features: string, dims: readonly number[] = ROWS, tail = 'input of the final Softmax'): Found => ({
  logits: 'z',
  features,
  dims,
  tail,
});

const FOUND: Readonly<Record<string, Found>> = {
  gemm: z('h'),
  quantised: z('hq'),
  'quantised-output': { logits: 'y', features: 'h', dims: ROWS, tail: 'model output' },
  'gemm-transposed': z('h'),
  'matmul-add': z('h'),
  'add-matmul': z('h'),
  matmul: z('h'),
  'matmul-transposed': z('h'),
  'conv-pool': z('h', MAPS),
  'conv-relu-pool': z('h', MAPS),
  'conv-pool-4d': { logits: 'y', features: 'h', dims: MAPS, tail: 'model output' },
  'pool-conv': z('p', PIXEL),
  'pool-conv-reshape': z('p', PIXEL),
  'pool-conv-squeeze': z('p', PIXEL),
  'pool-conv-squeeze-attribute': z('p', PIXEL),
  'pool-flatten-gemm': z('f'),
  dropout: z('d'),
  'dropout-after': { logits: 'g', features: 'h', dims: ROWS, tail: 'input of the final Dropout + Softmax' },
  inline: z('h'),
  listed: z('h'),
  shared: z('h2'),
  text: z('h'),
  'two-inputs': z('h'),
  'tail-none': { logits: 'y', features: 'h', dims: ROWS, tail: 'model output' },
  'tail-log-softmax': z('h', ROWS, 'input of the final LogSoftmax'),
  'tail-log-of-softmax': z('h', ROWS, 'input of the final Softmax + Log'),
  'tail-softmax-default': z('h'),
  'tail-softmax-4d': z('h', MAPS, 'input of the final Softmax + Flatten'),
  'tail-log-softmax-4d': z('h', MAPS, 'input of the final Softmax + Log + Flatten'),
  'tail-identity': z('h'),
  'tail-cast': z('h', ROWS, 'input of the final Softmax + Cast'),
  'tail-cast-before': z('h', ROWS, 'input of the final Cast + Softmax'),
  'tail-class-index': z('h'),
  'logits-and-probabilities': z('h', ROWS, 'model output'),
  norms: z('h', ROWS, 'model output'),
  'class-index': z('h', ROWS, 'input of the final ArgMax'),
  float16: z('h'),
  'float16-conv': z('h', MAPS),
  float64: z('h'),
  fixed: z('h', [1, 5]),
  'fixed-two': z('h', [2, 5]),
  'fixed-conv': z('f', [1, 5]),
  'fixed-reshape': z('f', [1, 5]),
  'fixed-mixing': z('d', [1, 5]),
  'fixed-unequal': z('h', [1, 5]),
};

const folder = mkdtempSync(join(tmpdir(), 'hosts-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** Every augmented file, by opset, for the checker. */
const written = new Map<number, string[]>();

function keep(opset: number, name: string, bytes: Uint8Array): void {
  const path = join(folder, `${name}-opset${opset}.onnx`);
  writeFileSync(path, bytes);
  written.set(opset, [...(written.get(opset) ?? []), path]);
}

describe.each(Object.entries(FOUND))('%s', (name, wanted) => {
  const files = HOSTS.filter((host) => host.name === name);
  it.each(files.map((host) => [host.opset, host] as const))(
    'opset %i: found, and the losses are right',
    async (opset, { path }) => {
      for (const loss of ['ce', 'ib', 'ib-focal'] as const) {
        const graft = await graftHost(path, { loss });
        if (name.startsWith('float16')) expectHalfGraft(graft);
        else expectGraft(graft);
        const { logits, features } = graft.report;
        expect(logits).toEqual({ name: wanted.logits, how: wanted.tail });
        if (lossesByName[loss]?.needsFeatures) {
          expect(features?.name).toBe(wanted.features);
          expect(graft.dims.features).toEqual(wanted.dims);
        } else expect(features).toBeNull();
        keep(opset, `${name}-${loss}`, graft.bytes);
      }
    },
  );
});

describe('bfloat16, for which the CPU provider has no kernels', () => {
  it.each(HOSTS.filter(({ name }) => name === 'bfloat16').map(({ opset, path }) => [opset, path] as const))(
    'opset %i: the tail is float32 behind a Cast of logits and features',
    async (opset, path) => {
      const { report, bytes } = await augmentFile(path, { loss: 'ib' });
      expect([report.logits.name, report.features?.name]).toEqual(['z', 'h']);
      const { graph } = scan(fromBytes(bytes, 'bfloat16'));
      const casts = graph.nodes.filter(({ opType }) => opType === 'Cast');
      expect(casts.map(({ inputs, attributes }) => [inputs[0], attributes.get('to')?.value])).toEqual(
        expect.arrayContaining([
          ['z', 1n],
          ['h', 1n],
        ]),
      );
      expect(graph.outputs.map(({ name, type }) => `${name} ${type?.dtype}`)).toEqual([
        'y bfloat16',
        'loss float32',
        'loss_per_sample float32',
        'ib_factor float32',
      ]);
      keep(opset, 'bfloat16-ib', bytes);
    },
  );
});

const REFUSED: readonly (readonly [host: string, code: string, message: RegExp])[] = [
  ['segmentation', 'segmentation-head', /output "y" has the shape \[N, 4, 4, 4\]: a value for each pixel/],
  ['two-heads', 'ambiguous-logits', /found 2: "z" \[N, 4\] .*; "z2" \[N, 3\] .*`logits: "z"`/],
  ['batch-norm-after', 'no-features', /node "BatchNormalization_3".*`logits: "g"`, or name the features/],
  ['relu-after', 'no-features', /node "Relu_3" \(Relu\).*`logits: "g"`, or keep these and name/],
  ['tanh-after', 'no-features', /node "Tanh_3" \(Tanh\).*`logits: "g"`/],
  ['conv-3x3', 'no-features', /node "Conv_2" \(Conv\) with a kernel of \[4, 5, 3, 3\], not 1x1/],
  ['pool-after-matmul', 'no-features', /a pooling after node "MatMul_2" \(MatMul\)/],
  ['computed-weight', 'no-features', /node "MatMul_4" \(MatMul\), whose weight is computed/],
  ['fixed-if', 'no-features', /found node "If_6" \(If\)\. Name the input/],
];

describe('refused, with the node and the reason', () => {
  it.each(REFUSED)('%s: %s', async (name, code, message) => {
    const found = await refusalOf(hostPath(name), { loss: 'ib' });
    expect(found.message).toMatch(message);
    expect(found.code).toBe(code);
  });

  it('every file of fixtures/hosts is used here', () => {
    const used = [...Object.keys(FOUND), ...REFUSED.map(([name]) => name), 'bfloat16', 'taken-names'];
    // See multiLabel.test.ts.
    used.push('sigmoid', 'logits-and-sigmoid');
    expect([...new Set(HOSTS.map(({ name }) => name))].sort()).toEqual(used.sort());
  });
});

describe('a fixed batch made free', () => {
  it.each(['fixed', 'fixed-two', 'fixed-conv'])('%s: allowed, and rows do not depend on the batch', async (name) => {
    for (const { path, opset } of HOSTS.filter((host) => host.name === name)) {
      const { report, bytes } = await augmentFile(path, { loss: 'ib', dynamicBatch: true });
      expect(report.notes).toEqual([expect.stringMatching(/^The batch size, fixed at [12], is now free/)]);
      const fixed = await inputsOf(path);
      const feeds = seededFeeds(await inputsOf(bytes), { batch: 2 * (fixed[0]?.shape?.[0] === 2 ? 1 : 2) });
      const { loss_per_sample: free } = await runBytes(bytes, { ...feeds, labels: labelsFor(feeds) });
      expect(free?.dims[0]).toBe(labelsFor(feeds).dims[0]);
      keep(opset, `${name}-free`, bytes);
    }
  });

  it.each<[string, Parameters<typeof refusalOf>[1], RegExp]>([
    ['fixed-reshape', { loss: 'ib' }, /^\[node "Reshape_3" \(Reshape\)\]/],
    ['fixed-if', { loss: 'ce', logits: 'z' }, /row 0 of output "y" differing|node "If_\d" \(If\)/],
    ['fixed-mixing', { loss: 'ib' }, /^\[node "ReduceMax_\d" \(ReduceMax\)\].*differing by/],
    ['fixed-unequal', { loss: 'ce' }, /"x" with 1, "x2" with 2/],
  ])('%s: refused', async (name, options, message) => {
    const found = await refusalOf(hostPath(name), { ...options, dynamicBatch: true });
    expect(found.message).toMatch(message);
    expect(found.code).toBe('batch-not-free');
  });

  it('a batch that is free already is left alone, and that is said', async () => {
    const { report } = await augmentFile(hostPath('gemm'), { loss: 'ib', dynamicBatch: true });
    expect(report.notes).toEqual(['The batch size is already free in this model; `dynamicBatch` changed nothing']);
  });
});

function labelsFor(feeds: ReturnType<typeof seededFeeds>): { dtype: 'int64'; dims: number[]; data: BigInt64Array } {
  const rows = Object.values(feeds)[0]?.dims[0] ?? 0;
  return { dtype: 'int64', dims: [rows], data: new BigInt64Array(rows).fill(2n) };
}

describe('onnx.checker, full check, of all that was written', needsPython('onnx'), () => {
  it.for([11, 13, 17, 21])('opset %i', (opset, context) => {
    const paths = written.get(opset) ?? [];
    expect(paths.length).toBeGreaterThan(50);
    const verdicts = python('../models/check.py', paths.join('\n')).trim().split('\n');
    const [skipped] = verdicts.filter((verdict) => verdict.startsWith('skip'));
    if (skipped !== undefined) context.skip(skipped);
    expect(verdicts.filter((verdict) => verdict !== 'ok')).toEqual([]);
    expect(verdicts).toHaveLength(paths.length);
  });
});
