import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selectRows } from '../../src/data/select.ts';
import { bytesHash } from '../../src/hash.ts';
import { decodeNpy, openData } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import { readSafetensors } from '../../src/safetensors/read.ts';
import { writeSafetensors } from '../../src/safetensors/write.ts';
import { elementCount } from '../../src/tensor.ts';
import type { JobPlan } from '../../src/train/job/planFile.ts';
import { type Tensors, workersStep, workersTotals } from './workers.ts';

/** Walks a job as python/lossgraft-runner does, with so many workers; `epochs` of them. Jobs that crop or flip are not for it. */
export async function runJob(job: string, workers: number, epochs = Number.POSITIVE_INFINITY): Promise<void> {
  const content = readFileSync(join(job, 'plan.json'));
  const plan: JobPlan = JSON.parse(String(content));
  const data = await openData(join(job, plan.data));
  const progress = join(job, 'progress');
  mkdirSync(progress);
  let state: Tensors = Object.fromEntries(readSafetensors(join(job, plan.state)));
  const done = [];
  for (const [i, epoch] of plan.epochs.slice(0, epochs).entries()) {
    const graph = plan.graphs[epoch.graph];
    if (!graph) throw new Error(epoch.graph);
    const open = (name: string) => openSession(readFileSync(join(job, name)));
    const sessions = { gradients: await open(graph.gradients), apply: await open(graph.apply) };
    const order = Uint32Array.from(toNumbers(await decodeNpy(readFileSync(join(job, epoch.order)))));
    const rates = toNumbers(await decodeNpy(readFileSync(join(job, epoch.rates))));
    let [lossSum, lossCount] = [0, 0];
    for (let step = 0; step < plan.steps; step++) {
      const rows = order.subarray(step * plan.batchSize, Math.min((step + 1) * plan.batchSize, plan.samples));
      const chosen = selectRows(data, rows);
      const batch: Tensors = {};
      for (const [name, column] of chosen.columns) batch[name] = await column.read(0, rows.length);
      const totals = await workersTotals(sessions.gradients, graph, { state, batch, count: workers });
      const rate = { dtype: 'float32', dims: [], data: Float32Array.of(rates[step] ?? 0) } as const;
      state = await workersStep(sessions.apply, { state, totals, rate });
      lossSum += rows.length * (totals.loss ? (toNumbers(totals.loss)[0] ?? Number.NaN) : Number.NaN);
      lossCount += rows.length;
    }
    await Promise.all([sessions.gradients.close(), sessions.apply.close()]);
    const file = `state-${i + 1}.safetensors`;
    writeState(join(progress, file), state);
    done.push({ file, lossSum, lossCount, seconds: 1 });
  }
  const checkpoint = { plan: bytesHash(content), epoch: done.length, step: 0, epochs: done };
  writeFileSync(join(progress, 'checkpoint.json'), JSON.stringify(checkpoint));
  data.close();
}

function writeState(path: string, state: Tensors): void {
  const tensors = Object.entries(state).map(([name, tensor]) => {
    const { dtype, dims } = tensor;
    return { name, dtype, dims, bytes: 4 * elementCount(dims), read: () => tensor };
  });
  writeSafetensors(path, tensors, {});
}
