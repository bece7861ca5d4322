import { basename, dirname, join, normalize } from 'node:path';
import { type Unzipped, unzip } from 'fflate';
import { fs } from 'memfs';
import { LossgraftError } from '../../src/index.ts';
import type { Dropped } from '../protocol.ts';

/** Files that were dropped, in the page's memory. */

/** What a page can hold beside the model. */
const MOST_BYTES = 2 ** 31 - 1;

/** Puts files into a folder, which is emptied first; zips are unpacked. */
export async function keep(folder: string, files: readonly Dropped[]): Promise<void> {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (total > MOST_BYTES) throw tooLarge(folder, total);
  for (const { path, file } of files) {
    const bytes = await readDropped(path, file);
    if (/\.zip$/i.test(path)) await unpack(folder, path, bytes);
    else put(join(folder, path), bytes);
  }
}

async function readDropped(path: string, file: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new LossgraftError({
      code: 'open-failed',
      where: path,
      expected: 'the file as it was when it was dropped',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'It may have been changed or moved since: drop it again',
      cause,
    });
  }
}

async function unpack(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  let total = 0;
  const entries = await new Promise<Unzipped>((resolve, reject) => {
    const filter = ({ name: entry, originalSize }: { readonly name: string; readonly originalSize: number }) => {
      total += originalSize;
      return total <= MOST_BYTES && isWanted(entry);
    };
    unzip(bytes, { filter }, (error, all) => (error ? reject(badZip(name, error)) : resolve(all)));
  });
  if (total > MOST_BYTES) throw tooLarge(name, total);
  for (const [path, data] of Object.entries(entries)) {
    // A name such as ../../model.onnx stays within the folder.
    const inside = normalize(join('/', path));
    if (!path.endsWith('/')) put(join(folder, inside), data);
  }
}

/** Not what macOS and Windows add. */
function isWanted(path: string): boolean {
  return !/(^|\/)(__MACOSX\/|\.DS_Store$|Thumbs\.db$)/.test(path);
}

function put(path: string, bytes: Uint8Array): void {
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, bytes);
}

export function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  const bytes = fs.readFileSync(path);
  if (typeof bytes === 'string') throw new Error(`${path} was read as text`);
  return Uint8Array.from(bytes);
}

export function textOf(path: string): string {
  return new TextDecoder().decode(bytesOf(path));
}

function namesIn(folder: string): string[] {
  return fs
    .readdirSync(folder)
    .map(String)
    .filter((name) => !name.startsWith('.'))
    .sort();
}

function isFolder(path: string): boolean {
  return fs.statSync(path).isDirectory();
}

/** The one ONNX file among those that were dropped. @throws LossgraftError `model-folder` where there is none, or several. */
export function modelIn(folder: string): string {
  const found = filesBelow(folder).filter((path) => /\.onnx$/i.test(path));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  throw new LossgraftError({
    code: 'model-folder',
    where: 'the model',
    expected: 'one .onnx file',
    found: found.length === 0 ? 'none' : found.map((path) => basename(path)).join(', '),
    hint:
      found.length === 0
        ? 'Drop the exported classifier; config.json and other files of its folder may come along'
        : 'Drop one model',
  });
}

function filesBelow(folder: string): string[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    return isFolder(path) ? filesBelow(path) : [path];
  });
}

/** Where the data are: a folder that has nothing in it but another one with folders stands for that one; a single table for itself. */
export function dataIn(folder: string): string {
  const names = namesIn(folder);
  const tables = names.filter((name) => /\.(csv|tsv|npz|npy|parquet)$/i.test(name));
  const [table] = tables;
  if (table !== undefined && tables.length === 1) return join(folder, table);
  const [only] = names;
  if (only === undefined) throw noSamples('nothing');
  if (names.length > 1) return folder;
  const inner = join(folder, only);
  if (!isFolder(inner)) throw noSamples(only);
  const holdsMore = namesIn(inner).some(
    (name) => isFolder(join(inner, name)) || /\.(csv|tsv|npz|parquet)$/i.test(name),
  );
  return holdsMore ? dataIn(inner) : folder;
}

function noSamples(found: string): LossgraftError {
  return new LossgraftError({
    code: 'data-files',
    where: 'the samples',
    expected: 'a folder or .zip with a folder of images for each class, or a .csv, .tsv, .npz, .npy or .parquet file',
    found,
    hint: 'Drop the samples in one of these forms',
  });
}

function badZip(name: string, error: Error): LossgraftError {
  return new LossgraftError({
    code: 'open-failed',
    where: name,
    expected: 'a zip archive',
    found: error.message,
    hint: 'Make the archive anew, or drop the folder itself',
    cause: error,
  });
}

function tooLarge(where: string, bytes: number): LossgraftError {
  return new LossgraftError({
    code: 'page-too-large',
    where,
    expected: `at most ${MOST_BYTES} bytes, which a page can hold`,
    found: `${bytes}`,
    hint: 'Train with the command line, which reads files as it needs them: npx lossgraft train MODEL --data DATA',
  });
}
