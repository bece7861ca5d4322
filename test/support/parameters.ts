import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildGraph } from '../../src/ir/build.ts';
import { open } from '../../src/model.ts';
import { findParameters } from '../../src/transform/parameters.ts';
import { untie } from '../../src/transform/untie.ts';

/** What PyTorch says of the tensors of a file: see fixtures/README.md. */
interface Truth {
  readonly parameters: readonly string[];
  readonly constants: readonly string[];
}

/** The parameters.json of a folder. */
export function truthOf(folder: string): Readonly<Record<string, Truth>> {
  return JSON.parse(readFileSync(join(folder, 'parameters.json'), 'utf8'));
}

/** What is taken for parameters, and what is left out and why, once ties are undone. */
export async function foundIn(path: string): Promise<{ parameters: string[]; leftOut: Record<string, string> }> {
  const model = await open(path);
  const graph = buildGraph(model.proto);
  untie(graph);
  const { parameters, leftOut } = findParameters(graph);
  model.close();
  return {
    parameters: parameters.map(({ value }) => value.name).sort(),
    leftOut: Object.fromEntries(leftOut.map(({ value, why }) => [value.name, why])),
  };
}
