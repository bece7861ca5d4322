import { spawnSync } from 'node:child_process';
import type { TestOptions } from 'vitest';
import { needs } from '../support/needs.ts';

const isLinux = process.platform === 'linux' && process.arch === 'x64';

/** For tests of what there is on Linux alone. */
export const needsLinux: TestOptions = needs(isLinux, 'Linux on x64');

/** For tests that take binutils as the reference, or make libraries with a C compiler. */
export const needsBinutils: TestOptions = needs(
  isLinux && ['gcc', 'readelf', 'ldd'].every((tool) => spawnSync(tool, ['--version']).status === 0),
  'gcc, readelf and ldd on Linux, x64',
);
