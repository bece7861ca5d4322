import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What stands outside the floors, and all that it may see beside its own room. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  graphs: ['src/contract.ts', 'src/emit/index.ts'],
  cli: ['src/index.ts', 'src/look.ts', 'src/catalogue.ts'],
  // The last five: what web/platform stands in for, and what it needs for that.
  web: [
    'src/index.ts',
    'src/catalogue.ts',
    'src/metrics/wilson.ts',
    'src/tuned/changed.ts',
    'src/thread/worker.ts',
    'src/runtime/device/isolated.ts',
    'src/runtime/deviceProof.ts',
    'src/runtime/session.ts',
    'src/runtime/webgpu/proof.ts',
    'src/tensor.ts',
  ],
};

/** The doors of src, where names meet values. */
const DOORS_OF_SRC: readonly string[] = ['src/index.ts', 'src/look.ts', 'src/catalogue.ts', 'src/choices.ts'];

/** Packages that one room keeps to itself. */
const KEEPERS: Readonly<Record<string, readonly string[]>> = {
  protobufjs: ['src/onnx/', 'src/runFolder/tensorboard.ts'],
  'onnxruntime-node': ['src/runtime/session.ts', 'src/runtime/sessionOptions.ts', 'src/runtime/sessionTensors.ts'],
  sharp: ['src/data/images/image.ts', 'examples/digitsFolder.ts'],
  '@observablehq/plot': ['src/report/'],
  linkedom: ['src/report/'],
  'csv-parse': ['src/data/tables/csv.ts'],
  tokenizers: ['src/data/texts/tokenizerChild.ts'],
  hyparquet: ['src/data/parquet'],
  'hyparquet-compressors': ['src/data/parquet'],
  'hyparquet-writer': ['src/predict/parquet.ts', 'web/platform/hyparquetWriter.ts'],
  yargs: ['cli/'],
  'cli-table3': ['cli/'],
  'cli-progress': ['cli/'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const root = join(import.meta.dirname, '..');
const files = filesIn(['src', 'graphs', 'cli', 'examples', 'web']);
const imports = files.flatMap(importsOf);
const floors = readFloors();

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

/** `src/onnx` of `src/onnx/scan.ts`, `src/run` of `src/run.ts`. */
function roomOf(file: string): string {
  const parts = file.split('/');
  return parts[0] === 'src' ? parts.slice(0, 2).join('/').replace(/\.ts$/, '') : (parts[0] ?? '');
}

/** Rooms of src by floor, from the ground up: the table in docs/architecture.md. A file may import from its own room and from lower floors. */
function readFloors(): string[][] {
  const rows = readFileSync(join(root, 'docs/architecture.md'), 'utf8').matchAll(/^\| (ground|\d+) \| (.*?) \|/gm);
  const floors = new Map<string, string[]>();
  for (const [, floor = '', names = ''] of rows) {
    const rooms = [...names.matchAll(/`(\w+)`/g)].map(([, name]) => `src/${name}`);
    floors.set(floor, [...(floors.get(floor) ?? []), ...rooms]);
  }
  return [...floors.values()];
}

function floorOf(file: string): number {
  return floors.findIndex((rooms) => rooms.includes(roomOf(file)));
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
  it('the table in docs/architecture.md has every room of src, and each once', () => {
    const rooms = files.filter((file) => file.startsWith('src/') && !DOORS_OF_SRC.includes(file)).map(roomOf);
    expect(floors.flat().sort()).toEqual([...new Set(rooms)].sort());
    expect(imports.length).toBeGreaterThan(200);
  });

  it('src imports downwards only', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith('src/') &&
        !DOORS_OF_SRC.includes(from) &&
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

  it('nothing in src but the doors sees the doors, the catalogue or the command line', () => {
    const wrong = imports.filter(
      ({ from, to }) =>
        from.startsWith('src/') &&
        (DOORS_OF_SRC.includes(to) || (!to.startsWith('src/') && to.includes('/') && to.endsWith('.ts'))),
    );
    expect(shown(wrong.filter(({ from }) => !DOORS_OF_SRC.includes(from)))).toEqual([]);
    expect(new Set(wrong.map(({ to }) => to))).toEqual(
      new Set(['graphs/catalogue.ts', 'graphs/gradients/index.ts', 'graphs/index.ts', 'src/choices.ts', 'src/look.ts']),
    );
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

it('tests are skipped for what they need (test/support/needs.ts), which the end of a run tells, and for nothing else', () => {
  const skips = filesIn(['test']).filter((file) =>
    /\b(it|test|describe)\.(skip|skipIf|runIf|only|todo)\b/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(skips).toEqual([]);
});
