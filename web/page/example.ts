import type { Dropped } from '../protocol.ts';

/** The example: the one thing that the page loads, from its own folder. */
export async function exampleFiles(): Promise<{
  readonly model: readonly Dropped[];
  readonly data: readonly Dropped[];
}> {
  const fetched = async (name: string): Promise<Dropped> => {
    const response = await fetch(`example/${name}`);
    if (!response.ok) throw new Error(`example/${name}: ${response.status} ${response.statusText}`);
    return { path: name, file: await response.blob() };
  };
  return { model: [await fetched('digits.onnx')], data: [await fetched('collected.npz')] };
}
