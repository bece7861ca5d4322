import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, temporaryFolder } from './support/cli.ts';

/** Packs what is built and installs the tarball into an empty project, as a user would. */
describe('the packed tarball', () => {
  const npm = (args: readonly string[], cwd: string): string =>
    execFileSync('npm', [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  it('installs into an empty project, and its command and its API run there', { timeout: 300_000 }, () => {
    const folder = temporaryFolder();
    const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT));
    const files: string[] = packed.files.map(({ path }: { path: string }) => path);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/cli/main.js', 'dist/src/index.d.ts']));
    expect(files.filter((file) => !/^(dist\/.*\.(js|d\.ts)|[A-Z]+(\.md)?|package\.json)$/.test(file))).toEqual([]);

    writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }');
    const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    npm(['install', ...quiet, `./${packed.filename}`], folder);

    const bin = (...args: string[]): string =>
      execFileSync('npx', ['--no', '--', 'lossgraft', ...args], { cwd: folder, encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(bin('--version').trim()).toBe(version);
    cpSync(join(ROOT, 'fixtures/digits'), join(folder, 'fixtures/digits'), { recursive: true });
    expect(bin('augment', 'fixtures/digits/model.onnx', '-o', 'ib.onnx', '--loss', 'ib')).toMatch(/^written +ib\.onnx/);

    const source = readFileSync(join(ROOT, 'examples/api.ts'), 'utf8');
    writeFileSync(join(folder, 'api.js'), source);
    expect(execFileSync(process.execPath, ['api.js'], { cwd: folder, encoding: 'utf8' })).toMatch(
      /^loss \d+\.\d{4} over 416 samples$/m,
    );
  });
});
