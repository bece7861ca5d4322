import { LossgraftError, option } from '../../errors.ts';
import type { Tensor } from '../../tensor.ts';
import { joinData, mapTensors, viewRows } from '../../tensorRows.ts';

type Feeds = Readonly<Record<string, Tensor>>;

/** Some rows of every tensor of a batch. */
export function rowsOf(feeds: Feeds, batch: number, rows: number, start = 0): Record<string, Tensor> {
  return mapTensors(feeds, (tensor) => (tensor.dims[0] === batch ? viewRows(tensor, start, rows) : tensor));
}

/** How many samples a batch has: the longest first axis of its tensors. */
export function batchOf(feeds: Feeds): number {
  return Math.max(1, ...Object.values(feeds).map(({ dims: [rows = 1] }) => rows));
}

/**
 * Adds to an error of a GPU whose memory is full how large a batch fits, by trying a half, a quarter and so on. Other errors stay as they
 * are.
 *
 * @param run tries so many of the batch's samples.
 */
export async function withFittingBatch(
  error: unknown,
  batch: number,
  run: (rows: number) => Promise<unknown>,
): Promise<unknown> {
  if (!isMemory(error)) return error;
  for (let rows = Math.floor(batch / 2); rows >= 1; rows = Math.floor(rows / 2)) {
    const failed = await run(rows).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (failed === undefined) return withHint(error, `A batch of ${rows} fits: ${option('batchSize', rows)}`);
    if (!isMemory(failed)) return error;
  }
  return withHint(error, 'Not even one sample fits: take the provider cpu, or a smaller model');
}

/**
 * Runs a batch whose results are rows; by halves, and halves of these, where the GPU has no memory for all of it.
 *
 * @throws whatever the whole batch throws, where halves do not run for another reason, or a single sample does not fit.
 */
export async function inHalves(feeds: Feeds, run: (feeds: Feeds) => Promise<Feeds>): Promise<Feeds> {
  try {
    return await run(feeds);
  } catch (error) {
    const batch = batchOf(feeds);
    if (!isMemory(error) || batch < 2) throw error;
    const half = Math.ceil(batch / 2);
    const parts = [rowsOf(feeds, batch, half), rowsOf(feeds, batch, batch - half, half)];
    const results: Feeds[] = [];
    for (const part of parts) {
      results.push(
        await inHalves(part, run).catch((reason: unknown) => {
          throw isMemory(reason) ? reason : error;
        }),
      );
    }
    return joined(results);
  }
}

function joined(parts: readonly Feeds[]): Feeds {
  const [first = {}] = parts;
  return Object.fromEntries(
    Object.entries(first).map(([name, { dtype, dims }]) => {
      const own = parts.flatMap((part) => part[name] ?? []);
      const rows = own.reduce((sum, tensor) => sum + (tensor.dims[0] ?? 0), 0);
      return [name, { dtype, dims: [rows, ...dims.slice(1)], data: joinData(own.map(({ data }) => data)) }];
    }),
  );
}

function isMemory(error: unknown): error is LossgraftError {
  return error instanceof LossgraftError && error.code === 'webgpu-memory';
}

function withHint({ problem }: LossgraftError, hint: string): LossgraftError {
  return new LossgraftError({ ...problem, hint });
}
