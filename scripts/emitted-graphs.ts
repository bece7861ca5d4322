import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AugmentOptions, augment, type Loss, losses, open } from '../src/index.ts';
import { lossesByName } from '../test/support/catalogue.ts';
import { lossModel } from '../test/support/lossModel.ts';
import type { EmittedGraph } from './emitted-graph.ts';
import { ruleGraphs } from './emitted-rules.ts';
import { trainingGraphs } from './emitted-training.ts';

/**
 * Every kind of graph that lossgraft writes, for checks that must cover them all. Whoever adds a kind adds it here; a new loss, option,
 * network, optimizer's plan or gradient rule with its cases is found by itself.
 */
export async function* emittedGraphs(root: string): AsyncGenerator<EmittedGraph> {
  for (const host of await hosts(root)) yield* augmentedModels(host);
  yield* lossGradients();
  yield* trainingGraphs(root);
  yield* ruleGraphs();
}

interface Host {
  readonly path: string;
  /** Whether its logits and features are its inputs too, so that they must be named. */
  readonly bare: boolean;
}

/** The hosts of 10 classes that the loss fixtures use, one per opset, and the digits classifiers. */
async function hosts(root: string): Promise<Host[]> {
  const listed = async (folder: string, wanted: RegExp): Promise<string[]> =>
    (await readdir(join(root, folder)))
      .filter((name) => wanted.test(name))
      .sort()
      .map((name) => join(root, folder, name));
  const bare = await listed('fixtures/cases/loss/_hosts', /-c10-opset\d+\.onnx$/);
  const whole = await listed('fixtures/digits', /\.onnx$/);
  return [...bare.map((path) => ({ path, bare: true })), ...whole.map((path) => ({ path, bare: false }))];
}

async function* augmentedModels({ path, bare }: Host): AsyncGenerator<EmittedGraph> {
  const model = await open(path);
  try {
    // The digits' classes are exclusive.
    const own = Object.values(losses).filter((loss: Loss) => bare || loss.task !== 'multi-label');
    for (const options of own.flatMap(variants)) {
      const { classCounts: _, ...shown } = options;
      const given = Object.entries(shown).map(([key, value]) => `${key}=${value}`);
      const name = [model.name, ...given].join(' ');
      const features = lossesByName[String(options.loss)]?.needsFeatures ? { features: 'features' } : {};
      const named = bare ? { logits: 'logits', ...features } : {};
      yield { name, model: (await augment(model, { ...options, ...named })).bytes() };
    }
  } finally {
    model.close();
  }
}

/** Losses that the networks of the fixtures are not trained with, and their gradients: for several labels, and of soft labels. */
function* lossGradients(): Generator<EmittedGraph> {
  for (const loss of Object.values(lossesByName)) {
    for (const areSoft of [false, true]) {
      if (areSoft ? !loss.takesSoftLabels : loss.task !== 'multi-label') continue;
      for (const opset of [17, 18, 20, 21]) {
        const { bytes } = lossModel({
          loss,
          counts: COUNTS,
          samples: 2000,
          classes: 10,
          areSoft,
          opset,
          gradient: 'whole',
        });
        yield { name: `gradients of ${loss.name}${areSoft ? ' of soft labels' : ''}, opset ${opset}`, model: bytes };
      }
    }
  }
}

/** Falling counts of 10 classes, as in a long tail. */
const COUNTS: readonly number[] = [500, 300, 180, 108, 65, 39, 23, 14, 8, 5];

/** Every combination of a loss's choices and flags, with and without class weights; then the other reductions. */
function variants(loss: Loss): AugmentOptions[] {
  const counted = { ...(loss.task === 'multi-label' ? { sampleCount: 2000 } : {}), classCounts: COUNTS };
  const own: Record<string, unknown> = { loss: loss.name, ...(loss.needsCounts ? counted : {}) };
  let combinations = [own];
  for (const [key, spec] of Object.entries(loss.options)) {
    if (spec.kind === 'number') continue;
    const values = spec.kind === 'flag' ? [false, true] : spec.choices;
    combinations = combinations.flatMap((options) => values.map((value) => ({ ...options, [key]: value })));
  }
  const rules = loss.takesWeights === false ? [] : ['inverse', ...(loss.task === 'multi-label' ? ['positive'] : [])];
  const weighted = rules.flatMap((classWeights) =>
    combinations.map((options) => ({ ...options, ...counted, classWeights })),
  );
  const reductions = (['sum', 'none'] as const).map((reduction) => ({ ...own, reduction }));
  return [...combinations, ...weighted, ...reductions] as unknown as AugmentOptions[];
}
