import type { ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.test.ts'],
    // onnxruntime-node holds native state: forked processes keep test files apart.
    pool: 'forks',
    testTimeout: 60_000,
  },
};

export default config;
