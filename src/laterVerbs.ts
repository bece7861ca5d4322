import type * as calibrateModule from './calibrate/calibrate.ts';
import type * as evaluateModule from './evaluate/evaluate.ts';
import type * as evaluatePartModule from './evaluate/part.ts';
import type * as predictModule from './predict/predict.ts';
import type * as reheadModule from './rehead.ts';
import type * as shardModule from './shard.ts';
import type * as exportRunModule from './train/exportRun.ts';

/*
 * Verbs that most programs do not use: each is loaded when it is called.
 */

/**
 * Makes another decision, or better probabilities, of the same scores, without training: a temperature, an adjustment by the class shares, a
 * bias for each class, or weights divided by powers of their norms. It is fitted on the data and goes into the last layer's weights and bias,
 * or into nodes behind it. Of probabilities that no softmax makes, such as a forest's, the logarithms are mapped. The report judges by
 * cross-validation, so that it does not flatter itself.
 *
 * @example
 * const calibrated = await calibrate(model, await openData('validation.npz'), { method: 'logit-adjustment' });
 * await calibrated.write('calibrated.onnx');
 *
 * @throws LossgraftError for models whose scores cannot be changed so, and data that don't fit.
 */
export const calibrate: typeof calibrateModule.calibrate = async (...given) =>
  (await import('./calibrate/calibrate.ts')).calibrate(...given);

/**
 * Judges any classifier on labelled data: every metric with a 95 % interval, by class, the confusion of classes; with `against` beside another
 * model on the same samples, by a paired bootstrap and McNemar's test.
 *
 * @example
 * const result = await evaluate(model, await openData('test.npz'));
 * console.log(result.metrics.macroF1, result.metrics.intervals.macroF1);
 *
 * @throws LossgraftError for models that are no classifiers, data that don't fit the model, and labels that are not its classes.
 */
export const evaluate: typeof evaluateModule.evaluate = async (...given) =>
  (await import('./evaluate/evaluate.ts')).evaluate(...given);

/**
 * Predicts the classes of samples with any classifier. Labels are not needed: open data that have none with `unlabelled: true`.
 *
 * @example
 * const predictions = await predict(model, await openData('photos', { unlabelled: true }), { topK: 3 });
 * await predictions.write('photos.csv');
 *
 * @throws LossgraftError for models that are no classifiers; and while predictions are made, for data that don't fit, with the row.
 */
export const predict: typeof predictModule.predict = async (...given) =>
  (await import('./predict/predict.ts')).predict(...given);

/**
 * Scores one part of data with one or two models, and keeps the scores. `evaluate` with `parts` judges all parts as if they had been scored
 * at once, bit for bit.
 *
 * @example
 * await evaluatePart(model, data, { part: '3/16', parts: 'test.parts' });
 * const result = await evaluate(model, data, { parts: 'test.parts' });
 *
 * @throws LossgraftError as {@link evaluate} does, and `parts-differ` if the part is there and was made of something else.
 */
export const evaluatePart: typeof evaluatePartModule.evaluatePart = async (...given) =>
  (await import('./evaluate/part.ts')).evaluatePart(...given);

/**
 * Scores one part of data, and keeps the scores. `predict` with `parts` predicts from all parts as if they had been scored at once, bit for
 * bit.
 *
 * @example
 * await predictPart(model, data, { part: '3/16', parts: 'new.parts' });
 * await (await predict(model, data, { parts: 'new.parts' })).write('new.csv');
 *
 * @throws LossgraftError as {@link predict} does, and `parts-differ` if the part is there and was made of something else.
 */
export const predictPart: typeof predictModule.predictPart = async (...given) =>
  (await import('./predict/predict.ts')).predictPart(...given);

/**
 * Gives a classifier other classes: a new last layer, further rows, or fewer. Whatever counts or names classes in the file follows, and every
 * other byte stays.
 *
 * @param data samples of the classes, for rows that begin with their class means.
 * @example
 * const { write } = await rehead(model, undefined, { classes: ['rust', 'scab', 'healthy'] });
 * await write('leaves.onnx');
 *
 * @throws LossgraftError `no-linear-head`, or `head-not-followed` naming the node that could not do with other classes.
 */
export const rehead: typeof reheadModule.rehead = async (...given) => (await import('./rehead.ts')).rehead(...given);

/**
 * Writes data as a folder of shards: columns as .npy files of some rows each, and an index with their hashes, counts, class names and origin.
 * Images are stored as the bytes that they are resized to, texts as their tokens, tables as their cells. `openData` opens the folder, and gives
 * what it gives for the data themselves, bit for bit. The folder is complete, or not there.
 *
 * @example
 * using data = await openData('photos', { model: './vit' });
 * await shard(data, 'photos.shards');
 *
 * @returns the index.
 * @throws LossgraftError `output-exists`, `write-failed`, and what reading the data throws, with the row.
 */
export const shard: typeof shardModule.shard = async (...given) => (await import('./shard.ts')).shard(...given);

/**
 * Writes the model of one loss of a finished run, whatever the run decided.
 *
 * @param folder of the run.
 * @returns the files that were written.
 * @throws LossgraftError `no-run`, `unknown-loss` listing the known ones, `other-model` if the model is not the trained one.
 */
export const exportRun: typeof exportRunModule.exportRun = async (...given) =>
  (await import('./train/exportRun.ts')).exportRun(...given);
