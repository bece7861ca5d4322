import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The floors of src, from the ground up. A file may import from its own room and from lower floors. */
const FLOORS: readonly (readonly string[])[] = [
  ['src/errors.ts', 'src/tensor.ts', 'src/version.ts', 'src/hash.ts'],
  ['src/classCounts.ts', 'src/onnx'],
  ['src/manifest.ts', 'src/numbers.ts', 'src/ir', 'src/safetensors'],
  ['src/emit', 'src/runtime'],
  ['src/contract.ts', 'src/model.ts', 'src/classes'],
  ['src/data', 'src/options.ts', 'src/lower', 'src/write.ts'],
  ['src/transform'],
  ['src/bind.ts', 'src/tuned'],
  ['src/trainGraph', 'src/records'],
  ['src/thread', 'src/runFolder'],
  ['src/trainer'],
  ['src/report'],
  ['src/validate', 'src/train', 'src/augment.ts', 'src/inspect.ts', 'src/run.ts', 'src/browser.ts'],
];

/** What stands outside the floors, and all that it may see beside its own room. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  graphs: ['src/contract.ts', 'src/emit/index.ts'],
  cli: ['src/index.ts'],
  examples: ['src/browser.ts'],
};

/** Packages that one room keeps to itself. */
const KEEPERS: Readonly<Record<string, readonly string[]>> = {
  protobufjs: ['src/onnx/', 'src/runFolder/tensorboard.ts'],
  '@node-rs/crc32': ['src/runFolder/tfrecord.ts'],
  'onnxruntime-node': ['src/runtime/session.ts'],
  sharp: ['src/data/images/image.ts'],
  '@observablehq/plot': ['src/report/', 'examples/browser/'],
  linkedom: ['src/report/'],
  'csv-parse': ['src/data/tables/csv.ts'],
  '@huggingface/tokenizers': ['src/data/texts/tokenizer.ts'],
  hyparquet: ['src/data/parquet'],
  'hyparquet-compressors': ['src/data/parquet'],
  yargs: ['cli/'],
  'cli-table3': ['cli/'],
  'cli-progress': ['cli/'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const root = join(import.meta.dirname, '..');
const files = filesIn(['src', 'graphs', 'cli', 'examples']);
const imports = files.flatMap(importsOf);

function filesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => posix.join(folder, file.replaceAll('\\', '/')))
      .filter((file) => file.endsWith('.ts')),
  );
}

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), 'utf8');
  const found = text.matchAll(/^(?:import|export)\b[^;]*?\bfrom '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gms);
  return [...found].map(([, a, b, c]) => {
    const to = a ?? b ?? c ?? '';
    return { from, to: to.startsWith('.') ? posix.join(dirname(from), to) : to };
  });
}

function roomOf(file: string): string {
  const parts = file.split('/');
  return parts[0] === 'src' ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

function floorOf(file: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));
}

/** Imports of files, as `a → b`. */
function shown(wrong: readonly Import[]): string[] {
  return wrong.map(({ from, to }) => `${from} → ${to}`);
}

/** Imports in circles: what is left when those that begin or end a chain are taken away, again and again. */
function circles(all: readonly Import[]): Import[] {
  const importing = new Set(all.map(({ from }) => from));
  const imported = new Set(all.map(({ to }) => to));
  const left = all.filter(({ from, to }) => importing.has(to) && imported.has(from));
  return left.length === all.length ? left : circles(left);
}

describe('import directions', () => {
  it('every file of src stands on a floor', () => {
    const homeless = files.filter((file) => file.startsWith('src/') && file !== 'src/index.ts' && floorOf(file) < 0);
    expect(homeless).toEqual([]);
    expect(imports.length).toBeGreaterThan(200);
  });

  it('src imports downwards only', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith('src/') &&
        from !== 'src/index.ts' &&
        to.startsWith('src/') &&
        roomOf(from) !== roomOf(to) &&
        floorOf(to) >= floorOf(from),
    );
    expect(shown(wrong)).toEqual([]);
  });

  it('no file imports itself through others, not even for types', () => {
    const known = [...imports, ...filesIn(['bench', 'scripts', 'test']).flatMap(importsOf)];
    expect(shown(circles(known.filter(({ to }) => to.endsWith('.ts'))))).toEqual([]);
  });

  it('nothing in src but the public door sees the public door, the catalogue or the command line', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith('src/') &&
        (to === 'src/index.ts' || (!to.startsWith('src/') && to.includes('/') && to.endsWith('.ts'))),
    );
    expect(shown(wrong.filter(({ from }) => from !== 'src/index.ts'))).toEqual([]);
    expect(shown(wrong)).toEqual(['src/index.ts → graphs/index.ts']);
  });

  it.each(Object.entries(DOORS))('%s sees src through its doors only', (room, doors) => {
    const wrong = imports.filter(
      ({ from, to }) => roomOf(from) === room && to.endsWith('.ts') && roomOf(to) !== room && !doors.includes(to),
    );
    expect(shown(wrong)).toEqual([]);
  });

  it.each(Object.entries(KEEPERS))('%s stays where it belongs', (name, keepers) => {
    const users = imports.filter(({ to }) => to === name || to.startsWith(`${name}/`)).map(({ from }) => from);
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((user) => !keepers.some((keeper) => user.startsWith(keeper)))).toEqual([]);
  });
});
