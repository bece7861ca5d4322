import type { ViteUserConfig } from 'vitest/config';
import { SkipReporter } from './test/support/skips.ts';

const report = process.env.LOSSGRAFT_TEST_REPORT;

const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/setup.ts',
    // onnxruntime-node holds native state: forked processes keep test files apart.
    pool: 'forks',
    testTimeout: 60_000,
    // The first one that starts Chromium unpacks it.
    hookTimeout: 120_000,
    reporters: [
      'default',
      new SkipReporter(),
      ...(report === undefined
        ? []
        : ['hanging-process', ['json', { outputFile: report }] satisfies [string, unknown]]),
    ],
  },
};

export default config;
