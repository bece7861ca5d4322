/**
 * What can be told of options and names without a model at hand: the light door, for the command line's help. It knows no files and no
 * sessions.
 */
export { losses, optimizers, weightings } from '../graphs/catalogue.ts';
export type { OptionSpec } from './contract.ts';
export { dataRows } from './data/options.ts';
export { LossgraftError, type Problem, rewriteOptions } from './errors.ts';
export { groupsOf } from './metrics/groups.ts';
export { METRICS } from './metrics/metrics.ts';
export { LEAST_SAMPLES } from './metrics/tally.ts';
export { checkNeeds, checkOptions, flagOf, kebabCase, pick } from './options/check.ts';
export { choice, flag, isText, type OptionsOf, type Row, type Rows, text, texts, value } from './options/row.ts';
export { augmentRows } from './tables/augment.ts';
export { calibrateRows } from './tables/calibrate.ts';
export { evaluateRows } from './tables/evaluate.ts';
export { exportRows } from './tables/export.ts';
export { inspectRows } from './tables/inspect.ts';
export { predictRows } from './tables/predict.ts';
export { reheadRows } from './tables/rehead.ts';
export { runRows } from './tables/run.ts';
export { setupCudaRows } from './tables/setupCuda.ts';
export { trainRows } from './tables/train.ts';
export { trainGraphRows } from './tables/trainGraph.ts';
export { csvCell, shortestFloat32 } from './textCells.ts';
export { validateRows } from './validate/options.ts';
export { VERSION } from './version.ts';
