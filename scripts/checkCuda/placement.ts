import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { open, trainGraph } from '../../src/index.ts';
import { CUDA_LIBRARY } from '../../src/runtime/cuda/diagnose.ts';
import { cudaPlacement } from '../../src/runtime/cuda/placement.ts';
import { binaryFolder, runtimeFolder } from '../../src/runtime/device/isolated.ts';
import { packageVersion } from '../../src/runtime/device/report.ts';
import { stubRuntime } from '../stub-runtime.ts';
import { Collector } from './collector.ts';
import type { PartContext } from './context.ts';
import { chosenNetworks, lossOf } from './networks.ts';

/** The graphs that the other parts run, placed over stub libraries where the provider library is there. */
export async function checkPlacement(context: PartContext): Promise<void> {
  const folder = providerFolder();
  const networks = folder === undefined ? [] : chosenNetworks(context);
  const graphs = networks.flatMap((network) =>
    (['float32', 'mixed'] as const).map((precision) => ({ network, precision, name: `${network.name}, ${precision}` })),
  );
  const collector = new Collector(context.out, graphs.length, context.until);
  if (folder === undefined) return;
  const stubbed = await stubRuntime(folder, context.work);
  await collector.each(
    graphs,
    ({ name }) => name,
    async ({ network, precision, name }) => {
      using model = await open(network.path);
      const graph = await trainGraph(model, { ...lossOf(network), form: 'loop', stepsPerRun: 10, precision });
      const bytes = graph.bytes().get('step.onnx') ?? new Uint8Array();
      const { total, strays, shapeNodes } = await cudaPlacement({ model: bytes, optimization: 'all', ...stubbed });
      const row = { graph: name, nodes: total, 'shape nodes on the CPU': shapeNodes.length };
      if (strays.length === 0) return { row };
      return { row, failure: `on the CPU: ${strays.map(({ op }) => op).join(', ')}` };
    },
  );
}

function providerFolder(): string | undefined {
  const runtime = runtimeFolder();
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lossgraft');
  const folders = [binaryFolder(runtime), join(cache, `cuda-${packageVersion(runtime)}`)];
  return folders.find((folder) => existsSync(join(folder, CUDA_LIBRARY)));
}
