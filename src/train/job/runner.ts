import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Copies the Python package that walks jobs, so that a job needs nothing but PyPI. */
export function copyRunner(folder: string): void {
  const own = dirname(createRequire(import.meta.url).resolve('lossgraft/package.json'));
  const from = join(own, 'python/lossgraft-runner');
  for (const name of ['pyproject.toml', 'README.md', 'src'])
    cpSync(join(from, name), join(folder, name), {
      recursive: true,
      filter: (path) => !/__pycache__|\.egg-info/.test(path),
    });
}
