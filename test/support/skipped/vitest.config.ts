import { SkipReporter } from '../skips.ts';

/** For `skips.test.ts`: tests of which some lack what they need. */
const config = { test: { root: import.meta.dirname, include: ['*.case.ts'], reporters: [new SkipReporter()] } };

export default config;
