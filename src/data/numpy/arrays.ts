import { extname } from 'node:path';
import { openFile } from '../../files/source.ts';
import type { Column, Dataset } from '../dataset.ts';
import { npyColumn } from './npy.ts';
import { HEADER_WINDOW, parseNpyHeader } from './npyHeader.ts';
import { openNpz } from './npz.ts';

/** Opens an .npz or .npy as it is. @throws LossgraftError if it is damaged, not an array, or holds Python objects. */
export async function openArrays(path: string): Promise<Dataset> {
  if (extname(path).toLowerCase() === '.npz') return { name: path, unnamed: undefined, ...(await openNpz(path)) };
  const { column, close } = openNpy(path);
  return { name: path, columns: new Map(), unnamed: column, close };
}

/** Opens an .npy file for reading by rows. */
export function openNpy(path: string): { column: Column; close(): void } {
  const file = openFile(path);
  try {
    const start = Uint8Array.from(file.read(0, Math.min(file.size, HEADER_WINDOW)));
    const header = parseNpyHeader(start, file.size, path);
    const column = npyColumn(header, path, async (target, offset) => file.readInto(target, offset));
    return { column, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}
