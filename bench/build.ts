import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT: string = fileURLToPath(new URL('..', import.meta.url));
const FILES = ['bench/child.ts', 'bench/firstStep.ts', 'bench/waits.ts'];

/** What is timed, built as a package is, in a folder of its own: no transpiler beside it, and never an older worker. */
export interface Build {
  /** The built form of a file in bench/. */
  file(name: string): string;
  remove(): void;
}

export async function build(): Promise<Build> {
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-bench-build-'));
  const dist = join(folder, 'dist');
  mkdirSync(dist);
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(ROOT, name), join(folder, name));
  const config = {
    extends: join(ROOT, 'tsconfig.build.json'),
    compilerOptions: { outDir: dist, rootDir: ROOT },
    include: ['src', 'graphs', ...FILES].map((path) => join(ROOT, path)),
  };
  const path = join(folder, 'tsconfig.json');
  writeFileSync(path, JSON.stringify(config));
  // Types are no matter of speed: it is said, and what was written is timed.
  await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['-p', path]).catch(({ stdout }) => {
    console.error(`what is timed does not compile:\n${stdout}`);
  });
  return {
    file: (name) => join(dist, 'bench', name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
