import type { ViteUserConfig } from 'vitest/config';

export default {
  test: {
    include: ['test/**/*.test.ts'],
    // onnxruntime-node holds native state: forked processes keep test files apart.
    pool: 'forks',
    testTimeout: 60_000,
  },
} satisfies ViteUserConfig;
