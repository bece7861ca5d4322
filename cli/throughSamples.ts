import type { DataOptions, Model, OpenedData } from '../src/index.ts';
import type { Door } from './command.ts';
import { progressBar } from './progressBar.ts';

export type Opening = (path: string) => Promise<Model>;

interface Sources<M> {
  /** Opens the models that are needed. */
  readonly models: (open: Opening) => Promise<M>;
  readonly data: string;
  readonly options: DataOptions;
}

interface Opened<M> {
  readonly models: M;
  readonly data: OpenedData;
  /** Moves the progress bar. */
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Opens models and data, shows a progress bar while `work` goes through the samples, and closes everything. */
export async function throughSamples<M, T>(
  { open, openData }: Door,
  sources: Sources<M>,
  work: (opened: Opened<M>) => Promise<T>,
): Promise<T> {
  const opened: Model[] = [];
  const bar = progressBar('samples');
  try {
    const models = await sources.models(async (path) => {
      const model = await open(path);
      opened.push(model);
      return model;
    });
    using data = await openData(sources.data, sources.options);
    return await work({ models, data, onProgress: ({ done, total }) => bar.update(done, total) });
  } finally {
    bar.stop();
    for (const model of opened) model.close();
  }
}
