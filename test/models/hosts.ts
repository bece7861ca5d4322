import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type AugmentOptions, LossgraftError } from '../../src/index.ts';
import { ROOT } from '../support/cli.ts';
import { augmentFile, type Graft, graftAndRun, inputsOf, seededFeeds } from '../support/grafted.ts';

const FOLDER = join(ROOT, 'fixtures/hosts');

/** A file of fixtures/hosts: see fixtures/pytorch/hosts.py. */
export interface Host {
  readonly name: string;
  readonly opset: number;
  readonly path: string;
}

export const HOSTS: readonly Host[] = readdirSync(FOLDER)
  .sort()
  .map((file) => {
    const [, name = file, opset] = /^(.*)-opset(\d+)\.onnx$/.exec(file) ?? [];
    return { name, opset: Number(opset), path: join(FOLDER, file) };
  });

/** The path of a host of opset 17, or of the only opset that it has. */
export function hostPath(name: string): string {
  const files = HOSTS.filter((host) => host.name === name);
  const host = files.find(({ opset }) => opset === 17) ?? files[0];
  if (!host) throw new Error(`no host ${name}`);
  return host.path;
}

/** Augments a host and runs it on three rows, or as many as it takes. */
export async function graftHost(path: string, options: AugmentOptions): Promise<Graft> {
  const feeds = seededFeeds(await inputsOf(path), { N: 3, T: 4 }, 5);
  const rows = Object.values(feeds)[0]?.dims[0] ?? 0;
  return graftAndRun(path, options, { feeds, labels: [1, 2, 0].slice(0, rows) });
}

/** What is said where a host is refused. */
export async function refusalOf(path: string, options: AugmentOptions): Promise<{ code: string; message: string }> {
  try {
    await augmentFile(path, options);
  } catch (error) {
    if (error instanceof LossgraftError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: 'it was augmented' };
}
