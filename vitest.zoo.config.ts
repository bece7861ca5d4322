import type { ViteUserConfig } from 'vitest/config';

/** Whole networks of gigabytes, outside the repository and outside CI: see test/zoo/zoo.ts. */
const config: ViteUserConfig = {
  test: {
    include: ['test/zoo/**/*.zoo.ts'],
    pool: 'forks',
    // One network at a time in memory.
    fileParallelism: false,
    testTimeout: 900_000,
  },
};

export default config;
