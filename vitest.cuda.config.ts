import type { ViteUserConfig } from 'vitest/config';

/** Over the real CUDA provider library, which `lossgraft doctor --setup-cuda` downloads: see docs/cuda.md. */
const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.cuda.ts'],
    globalSetup: 'test/support/setup.ts',
    pool: 'forks',
    testTimeout: 60_000,
  },
};

export default config;
