import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT, temporaryFolder } from './support/cli.ts';

const npm = (args: readonly string[], cwd: string): string =>
  execFileSync('npm', [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** What the package holds beside what is built, and the pages of docs/. */
const OTHERS = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'fixtures/digits/README.md',
  'fixtures/digits/collected.npz',
  'fixtures/digits/model.onnx',
  'fixtures/digits/test.npz',
  'package.json',
  'python/lossgraft-runner/README.md',
  'python/lossgraft-runner/pyproject.toml',
  'python/lossgraft-runner/src/lossgraft_runner/py.typed',
];

/** Files of folders with an ending, from the root on. */
function below(folders: readonly string[], ending: string): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((name) => name.endsWith(ending)),
  );
}

describe('what is published', () => {
  let packed: Packed;
  beforeAll(() => {
    [packed] = JSON.parse(npm(['pack', '--json', '--dry-run', '--ignore-scripts'], ROOT));
  }, 120_000);

  it('is what is built from the sources, the pages, and a short list: no other file', () => {
    const built = below(['src', 'graphs', 'cli'], '.ts').flatMap((source) => {
      const stem = `dist/${source.slice(0, -'.ts'.length)}`;
      return source.startsWith('cli/') ? [`${stem}.js`] : [`${stem}.d.ts`, `${stem}.js`];
    });
    const expected = [...OTHERS, ...below(['docs'], '.md'), ...below(['python/lossgraft-runner/src'], '.py'), ...built];
    expect(packed.files.map(({ path }) => path).sort()).toEqual(expected.sort());
  });

  it('is small: the whole below 1.5 MB, what the demo needs below 300 kB', () => {
    expect(packed.size).toBeLessThan(1.5e6);
    const demo = packed.files.filter(({ path }) => path.startsWith('fixtures/'));
    expect(demo.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(300_000);
  });

  it('says what it is, and the README’s links lead into it from anywhere', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const key of ['description', 'keywords', 'license', 'author', 'engines', 'exports', 'bin']) {
      expect(manifest, key).toHaveProperty(key);
    }
    expect(manifest.publishConfig).toEqual({ access: 'public', provenance: true });
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const inside = links.filter((link) => !link.startsWith('#'));
    expect(inside.length).toBeGreaterThan(10);
    const files = new Set(packed.files.map(({ path }) => path));
    expect(inside.filter((link) => !files.has(link.replace('https://unpkg.com/lossgraft/', '')))).toEqual([]);
    expect(readme).not.toMatch(/!\[|<img/);
  });

  it('npm publish has nothing to say against it', { timeout: 120_000 }, () => {
    const said = execFileSync('npm publish --dry-run --ignore-scripts 2>&1', {
      cwd: ROOT,
      encoding: 'utf8',
      shell: '/bin/sh',
    });
    const warnings = said
      .split('\n')
      .filter((line) => /^npm (warn|error)/.test(line) && !line.includes('be logged in'));
    expect(warnings).toEqual([]);
  });
});

describe('the packed tarball', () => {
  it('installs into an empty project: help, demo, API and types work there', { timeout: 300_000 }, () => {
    const folder = temporaryFolder();
    const [{ filename }] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT));
    writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }');
    const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    npm(['install', ...quiet, `./${filename}`], folder);

    const bin = (...args: string[]): string =>
      execFileSync('npx', ['--no', '--', 'lossgraft', ...args], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(bin('--version').trim()).toBe(version);
    expect(bin('--help')).toMatch(/^lossgraft COMMAND \[OPTIONS\]$/m);

    const shown = bin('demo');
    expect(existsSync(join(folder, 'lossgraft-demo/tuned.onnx'))).toBe(true);
    const [, before, , after] = /Of 400 new images it reads ((\d+)), before ((\d+))\./.exec(shown) ?? [];
    expect(Number(before)).toBeGreaterThanOrEqual(Number(after) + 20);
    expect(shown).toMatch(/^Next:\n {2}open lossgraft-demo\/tuned\.run\/report\.html in a browser/m);
    expectShown(shown);

    cpSync(join(ROOT, 'fixtures/digits'), join(folder, 'fixtures/digits'), { recursive: true });
    writeFileSync(join(folder, 'api.js'), readFileSync(join(ROOT, 'examples/api.ts'), 'utf8'));
    expect(execFileSync(process.execPath, ['api.js'], { cwd: folder, encoding: 'utf8' })).toMatch(
      /^loss \d+\.\d{4} over 416 samples$/m,
    );
    expect(typesIn(folder)).toBe('');
  });
});

/** The lines of the README's first example stand in this order in what the demo prints; numbers may differ in their last digits. */
function expectShown(printed: string): void {
  const [, example = ''] = /^```text\n(.*?)^```/ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  const shape = (line: string): string =>
    line
      .replace(/\d+(\.\d+)?/g, '0')
      .replace(/ +/g, ' ')
      .trimEnd();
  const lines = printed.split('\n').map(shape);
  let at = 0;
  for (const line of example.trimEnd().split('\n')) {
    if (line === '…') continue;
    at = lines.findIndex((each, i) => i >= at && each.startsWith(shape(line)));
    expect(at, line).toBeGreaterThanOrEqual(0);
  }
}

/** What the compiler says of a program that uses the package's types, declarations of libraries included. */
function typesIn(folder: string): string {
  mkdirSync(join(folder, 'typed'));
  const source = `import { open, openData, train, type TrainOptions, type TrainResult } from 'lossgraft';
const options: Omit<TrainOptions, 'data'> = { folder: 'run', loss: 'ib', alpha: 500 };
export async function main(): Promise<TrainResult> {
  const model = await open('model.onnx');
  return train(model, { ...options, data: await openData('train.npz') });
}
// @ts-expect-error No such loss.
export const wrong: TrainOptions['loss'] = 'no-such-loss';
`;
  writeFileSync(join(folder, 'typed/main.ts'), source);
  const settings = {
    module: 'nodenext',
    target: 'es2022',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
  };
  const typeRoots = [join(ROOT, 'node_modules/@types')];
  const config = {
    compilerOptions: { ...settings, lib: ['es2023', 'esnext.disposable', 'dom'], typeRoots },
    include: ['main.ts'],
  };
  writeFileSync(join(folder, 'typed/tsconfig.json'), JSON.stringify(config));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  try {
    return execFileSync(process.execPath, [tsc, '-p', 'typed'], { cwd: folder, encoding: 'utf8' });
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}
