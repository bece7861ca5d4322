import { spawnSync } from 'node:child_process';

/** Whether binutils and a C compiler are here, which some tests take as the reference or make libraries with. */
export const hasBinutils: boolean =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  ['gcc', 'readelf', 'ldd'].every((tool) => spawnSync(tool, ['--version']).status === 0);
