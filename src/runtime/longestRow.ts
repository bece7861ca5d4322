import { LossgraftError, option } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { type ModelFile, openSession, type Session } from './session.ts';

type Feeds = Readonly<Record<string, Tensor>>;

/**
 * Explains a failed run if token rows are longer than the model has positions for; other errors stay as they are.
 *
 * @param readRow gives one sample of each input of the model.
 * @returns `error`, or a LossgraftError `too-many-tokens` with the longest row that runs.
 */
export async function explainLength(
  error: unknown,
  { file, session: options }: ModelFile,
  readRow: () => Promise<Feeds>,
  where: string,
): Promise<unknown> {
  if (!(error instanceof LossgraftError) || error.code !== 'run-failed') return error;
  const row = await readRow();
  const session = await openSession(file, options);
  try {
    const length = tokensOf(session, row);
    if (length === undefined) return error;
    const longest = await longestRow(session, row, length);
    if (longest === 0 || longest === length) return error;
    return new LossgraftError({
      code: 'too-many-tokens',
      where,
      expected: `at most ${longest} tokens per sample; the model does not run with more`,
      found: `${length}`,
      hint: `Cut texts with ${option('maxLength', longest)}, and arrays as in input_ids[:, :${longest}]`,
      cause: error,
    });
  } finally {
    await session.close();
  }
}

/** The length of token rows, which the model leaves open. */
function tokensOf({ inputs }: Session, row: Feeds): number | undefined {
  const lengths = new Set(
    inputs.flatMap(({ name, shape }) => {
      const tensor = row[name];
      const isTokens = tensor?.dims.length === 2 && /^int(32|64)$/.test(tensor.dtype) && typeof shape?.[1] !== 'number';
      return isTokens ? [tensor.dims[1] ?? 0] : [];
    }),
  );
  const [length] = lengths;
  return lengths.size === 1 ? length : undefined;
}

/** Bisection: if a length runs, shorter ones run too. */
async function longestRow(session: Session, row: Feeds, length: number): Promise<number> {
  let [runs, fails] = [0, length + 1];
  while (fails - runs > 1) {
    const middle = Math.floor((runs + fails) / 2);
    if (await doesRun(session, cutTo(row, length, middle))) runs = middle;
    else fails = middle;
  }
  return runs;
}

async function doesRun(session: Session, feeds: Feeds): Promise<boolean> {
  const read = session.inputs.flatMap(({ name }) => (feeds[name] ? [[name, feeds[name]] as const] : []));
  try {
    await session.run(Object.fromEntries(read));
    return true;
  } catch (error) {
    if (error instanceof LossgraftError && error.code === 'run-failed') return false;
    throw error;
  }
}

function cutTo(row: Feeds, from: number, to: number): Feeds {
  const entries = Object.entries(row).map(([name, tensor]): [string, Tensor] => {
    const isLong = tensor.dims.length === 2 && tensor.dims[1] === from;
    return [name, isLong ? { ...tensor, dims: [1, to], data: tensor.data.slice(0, to) } : tensor];
  });
  return Object.fromEntries(entries);
}
