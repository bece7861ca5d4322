import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { augment, open, trainGraph } from '../../src/index.ts';
import { hasReference, needsPython, needsReference, python } from '../onnx/python.ts';
import { findNetworks, type Network } from '../support/networks.ts';

const networks = findNetworks();
const folder = mkdtempSync(join(tmpdir(), 'lossgraft-train-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** float32 sums in another order than PyTorch's: a few times PyTorch's own error counts as equal too. */
const OWN_ERRORS = 4;

/** Of each network: the files of all forms, and of `augment --grad`. */
async function writeAll(network: Network): Promise<string[]> {
  const at = folderOf(network);
  mkdirSync(at, { recursive: true });
  const model = await open(network.model);
  try {
    const batchNorm = network.mode === 'train' ? 'train' : 'frozen';
    const options = { ...network.augment, trainable: 'all', batchNorm } as const;
    const files: string[] = [];
    for (const form of ['step', 'loop', 'split'] as const) {
      const perWorker = form === 'split' && batchNorm === 'train' ? { batchNormPerWorker: true } : {};
      const graph = await trainGraph(model, { ...options, ...perWorker, form });
      files.push(...(await graph.write(form === 'split' ? at : join(at, `${form}.onnx`))));
    }
    const augmented = await augment(model, { ...network.augment, grad: ['logits', 'features', 'parameters'] });
    await augmented.write(join(at, 'augmented.onnx'));
    return [...files.filter((file) => file.endsWith('.onnx')), join(at, 'augmented.onnx')];
  } finally {
    model.close();
  }
}

function folderOf({ name }: Network): string {
  return join(folder, name.replaceAll('/', '-'));
}

/** onnx.reference joins what a Loop gives in each step, and does not stack it, where that has two dimensions or none: it errs on these. */
const LOOPS = new Set(['bag/dynamo-opset20-eval', 'loop/written-opset17', 'nested/written-opset17']);
const judged = networks.filter(({ name }) => !LOOPS.has(name));

interface Answer {
  readonly check: readonly string[];
  readonly run: readonly {
    readonly failed?: string;
    readonly errors?: Readonly<Record<string, readonly [difference: number, magnitude: number]>>;
  }[];
}

describe("Python's onnx", needsPython('onnx'), () => {
  let files: string[] = [];
  beforeAll(async () => {
    files = [];
    for (const network of networks) files.push(...(await writeAll(network)));
  }, 120_000);

  it('passes the full check of every file, or knows no such opset', () => {
    const { check } = JSON.parse(
      python('../trainGraph/reference.py', JSON.stringify({ check: files, run: [] })),
    ) as Answer;
    const bad = files
      .filter((_, i) => !/^(ok$|skip: onnx)/.test(check[i] ?? ''))
      .map((file) => [file, check[files.indexOf(file)]]);
    expect(bad).toEqual([]);
    expect(check.filter((verdict) => verdict === 'ok').length).toBeGreaterThan(40);
    if (hasReference) expect(check.filter((verdict) => verdict !== 'ok')).toEqual([]);
    expect(files.map((file) => basename(file)).filter((name) => name === 'apply.onnx')).toHaveLength(networks.length);
  });

  describe('in its reference evaluator, without ONNX Runtime, gives', needsReference, () => {
    let answers: Answer['run'] = [];
    beforeAll(() => {
      const run = judged.map((network) => ({
        model: join(folderOf(network), 'gradients.onnx'),
        state: join(folderOf(network), 'state.safetensors'),
        reference: network.reference,
      }));
      answers = (JSON.parse(python('../trainGraph/reference.py', JSON.stringify({ check: [], run }))) as Answer).run;
    }, 300_000);

    it.each(judged.map((network, i) => [network.name, network, i] as const))('the gradients of %s', (_, network, i) => {
      const { failed, errors = {} } = answers[i] ?? {};
      expect(failed).toBeUndefined();
      expect(Object.keys(errors).length).toBeGreaterThan(3);
      let worst = 0;
      for (const [name, [difference, magnitude]] of Object.entries(errors)) {
        const isVanishing = network.vanishing.includes(name.replace(/\.grad$/, ''));
        const error = difference / Math.max(magnitude, isVanishing ? network.largestGradient : Number.MIN_VALUE);
        const bound = Math.max(network.rtol, OWN_ERRORS * (network.float32Error[name] ?? 0));
        expect(error, name).toBeLessThanOrEqual(bound);
        worst = Math.max(worst, error);
      }
      console.log(`${network.name}: ${Object.keys(errors).length} tensors, at most ${worst.toExponential(1)} off`);
    });
  });
});
