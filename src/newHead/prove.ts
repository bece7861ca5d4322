import { LossgraftError } from '../errors.ts';
import { buildGraph } from '../ir/build.ts';
import type { Model } from '../model.ts';
import { markBfloat16 } from '../runtime/oracle/bfloat16.ts';
import { forgetBodySizes } from '../runtime/oracle/restate.ts';
import { settleSizes } from '../runtime/oracle/sizes.ts';

/**
 * Runs a model with other classes on noise.
 *
 * @returns a note if neither it nor the original model runs on noise.
 * @throws LossgraftError `head-not-followed` if the original model runs, but this one does not.
 */
export async function runsOnNoise(model: Model, before: Model): Promise<string[]> {
  const failure = await failureOf(model);
  if (failure === undefined) return [];
  if ((await failureOf(before)) !== undefined)
    return [
      `Neither the model nor the one with other classes runs on noise, so that nothing shows that it runs (${failure})`,
    ];
  throw new LossgraftError({
    code: 'head-not-followed',
    where: model.name,
    expected: 'a model that runs with other classes, as it does with its own',
    found: failure,
    hint: 'Change the last layer before the export',
  });
}

async function failureOf(model: Model): Promise<string | undefined> {
  const graph = buildGraph(model.proto);
  markBfloat16(graph);
  forgetBodySizes(model.proto, graph);
  return (await settleSizes(model, graph))?.why.replaceAll(/\s+/g, ' ').slice(0, 200);
}
