import { readFileSync } from 'node:fs';
import type { Part } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import { writeAll, writeFailed, writeWhole } from '../files/whole.ts';
import { type AnyScored, Scored } from '../metrics/scored.ts';
import type { Predictions } from '../records/outOfFold.ts';
import type { Checkpoint } from '../records/run.ts';
import { setInitialState } from '../thread/runner.ts';
import { saveHalf } from './half.ts';
import { type Judging, judge } from './judge.ts';
import type { RunParts } from './parts.ts';

/** A state's results on a part: on the validation data out of fold, if known. @param file `undefined`: the given model. */
export async function judgeState(parts: RunParts, file: string | undefined, part: Part): Promise<AnyScored> {
  const { runner, graphs, folder, judging, known, request } = parts;
  const outOfFold = part === request.validation ? known?.get(file) : undefined;
  if (outOfFold) return outOfFold;
  if (file === undefined) await setInitialState(runner, graphs.current.graph);
  else await runner.ask({ kind: 'load', path: folder.file(file) });
  const scoredOf = async (of: Part, how: Judging): Promise<AnyScored> =>
    (await judge(runner, of, 'evaluation', how)).scored;
  if (judging.thresholds !== 'tune' || part === request.validation) return scoredOf(part, judging);
  // Thresholds tuned on the validation data are applied to the others.
  const tuned = await scoredOf(request.validation, judging);
  const thresholds = tuned.task === 'multi-label' ? Array.from(tuned.thresholds) : undefined;
  return scoredOf(part, { ...judging, thresholds });
}

/** In a fold's folder: probabilities in float64, [models, N, C]: before, then each loss's weights and its halfway weights. */
const FILE = 'predictions.f64';

/** Writes the results of a fold's models on its validation data. @throws LossgraftError `write-failed` */
export async function savePredictions(parts: RunParts, { bests }: Checkpoint): Promise<void> {
  const { folder, request } = parts;
  const judged = (file: string | undefined): Promise<AnyScored> => judgeState(parts, file, request.validation);
  const all = [await judged(undefined)];
  for (const { file } of bests) all.push(await judged(file), await judged(await saveHalf(parts, file)));
  const path = folder.file(FILE);
  const hint = 'Free space on the disk';
  writeWhole(
    path,
    (fd) => {
      for (const { probabilities } of all) writeAll(fd, bytesOf(Float64Array.from(probabilities ?? [])));
    },
    { failed: (cause) => writeFailed(path, cause, hint) },
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Reads the results of the folds' models, and concatenates the folds. @throws LossgraftError `bad-checkpoint` */
export function readPredictions(
  folds: readonly { readonly file: (name: string) => string; readonly validation: Part }[],
  classes: number,
): Predictions {
  const read = folds.map(({ file, validation }) => modelsIn(file(FILE), labelsOf(validation), classes));
  const models = Array.from(read[0] ?? [], (_, i) =>
    join(
      read.flatMap((each) => each[i] ?? []),
      classes,
    ),
  );
  const [before, ...others] = models;
  if (before === undefined) throw new Error('no folds');
  const arms = others.flatMap((whole, i) => {
    const half = i % 2 === 0 ? others[i + 1] : undefined;
    return half ? [{ whole, half }] : [];
  });
  return { before, arms };
}

interface Model {
  readonly labels: Int32Array;
  readonly probabilities: Float64Array;
}

function modelsIn(path: string, labels: Int32Array, classes: number): Model[] {
  const bytes = readFileSync(path);
  const size = labels.length * classes * 8;
  if (size === 0 || bytes.length % size !== 0) throw damaged(path, size, bytes.length);
  const all = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const probabilities = all.subarray((i * size) / 8, ((i + 1) * size) / 8);
    return { labels, probabilities };
  });
}

function join(models: readonly Model[], classes: number): Scored {
  const labels = models.flatMap((model) => [...model.labels]);
  const probabilities = new Float64Array(labels.length * classes);
  let at = 0;
  for (const model of models) {
    probabilities.set(model.probabilities, at);
    at += model.probabilities.length;
  }
  return Scored.of({ labels, probabilities, classes });
}

function labelsOf({ samples, rows }: Part): Int32Array {
  return Int32Array.from(rows, (row) => Number(samples.labels[row]));
}

function damaged(path: string, size: number, found: number): LossgraftError {
  return new LossgraftError({
    code: 'bad-checkpoint',
    where: path,
    expected: `probabilities of whole models, ${size} bytes each`,
    found: `${found} bytes`,
    hint: `Begin again: ${option('force')}`,
  });
}
