import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A graph that lossgraft writes, under the name that a report shows. */
export interface EmittedGraph {
  readonly name: string;
  readonly model: string | Uint8Array;
}

/**
 * Every graph that the CUDA placement is checked for. A loss, a gradient or an optimizer that is added belongs here.
 * The committed cases of fixtures/ are all there is so far.
 */
export async function* emittedGraphs(root: string): AsyncGenerator<EmittedGraph> {
  for (const folder of ['fixtures/cases', 'fixtures/models']) {
    const files = await readdir(join(root, folder), { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith('.onnx')).sort()) {
      const path = join(root, folder, file);
      yield { name: join(folder, file), model: await readFile(path) };
    }
  }
}
