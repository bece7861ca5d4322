import { fetchOwn } from '../ownFile.ts';
import type { Dropped } from '../protocol.ts';

/** The example: the one thing that the page loads, from its own folder. */
export async function exampleFiles(): Promise<{
  readonly model: readonly Dropped[];
  readonly data: readonly Dropped[];
}> {
  const fetched = async (name: string): Promise<Dropped> => {
    return { path: name, file: await (await fetchOwn(`example/${name}`)).blob() };
  };
  return { model: [await fetched('digits.onnx')], data: [await fetched('collected.npz')] };
}
