import * as jsonc from 'jsonc-parser';

/** Node gives the package as a default export. */
export { jsonc as default };
