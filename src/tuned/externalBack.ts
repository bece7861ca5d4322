import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import type { Model } from '../model.ts';
import { type BytePatch, findTensors, locateExternal } from '../onnx/index.ts';
import type { TensorProto } from '../onnx/types.ts';

/** A data file to copy, and the changes in the copy. */
export interface DataCopy {
  readonly from: string;
  readonly target: string;
  readonly patches: readonly BytePatch[];
}

export interface ExternalPlan {
  readonly copies: readonly DataCopy[];
  /** New locations of tensors whose data file is renamed. */
  readonly locations: ReadonlyMap<TensorProto, string>;
}

/** A tensor of the file and its new elements. */
export interface TrainedTensor {
  readonly place: TensorProto;
  readonly bytes: Uint8Array;
}

interface Region {
  readonly tensor: TensorProto;
  readonly path: string;
  readonly location: string;
  readonly offset: number;
  readonly end: number | undefined;
}

/**
 * Plans the data files of a tuned model. In the model's own folder those with trained tensors are copied under a name derived from the
 * output's, and the others stay; in another folder all are copied to the same relative places, so that no location changes.
 *
 * @throws LossgraftError `external-exists`, `external-shared` if a trained tensor shares its bytes with another.
 */
export function planExternal(
  model: Model,
  trained: readonly TrainedTensor[],
  output: { readonly path: string; readonly force: boolean },
): ExternalPlan {
  const regions = findTensors(model.proto.source)
    .filter(({ payload }) => payload.kind === 'external')
    .map((tensor) => regionOf(model, tensor));
  const folder = dirname(resolve(output.path));
  const sameFolder = realpathSync(folder) === realpathSync(model.dir);
  const copies: DataCopy[] = [];
  const locations = new Map<TensorProto, string>();
  for (const from of new Set(regions.map(({ path }) => path))) {
    const inside = regions.filter(({ path }) => path === from);
    const patches = patchesOf(model, inside, trained);
    if (sameFolder && patches.length === 0) continue;
    const location = inside[0]?.location ?? basename(from);
    const target = sameFolder ? renamed(output.path, location) : location;
    if (sameFolder) for (const { tensor } of inside) locations.set(tensor, target);
    copies.push({ from, target: join(folder, target), patches });
  }
  for (const { target, from } of copies) refuseTarget(target, from, output.force);
  return { copies, locations };
}

function regionOf(model: Model, tensor: TensorProto): Region {
  const { path, location, offset, length } = locateExternal(model.proto.source, tensor, model.dir);
  return { tensor, path, location, offset, end: length === undefined ? undefined : offset + length };
}

/** `weights/net.data` of `tuned.onnx` → `weights/tuned.net.data` */
function renamed(path: string, location: string): string {
  const stem = basename(path).replace(/\.onnx$/, '');
  return join(dirname(location), `${stem}.${basename(location)}`).replaceAll('\\', '/');
}

function patchesOf(model: Model, regions: readonly Region[], trained: readonly TrainedTensor[]): BytePatch[] {
  return trained.flatMap(({ place, bytes }) => {
    const own = regions.find(({ tensor }) => tensor.span.start === place.span.start);
    if (own === undefined) return [];
    const end = own.offset + bytes.length;
    const other = regions.find(
      (region) => region !== own && region.offset < end && (region.end ?? region.offset + 1) > own.offset,
    );
    if (other !== undefined) throw shared(model, place.name, other.tensor.name);
    return [{ offset: own.offset, bytes }];
  });
}

function shared(model: Model, name: string, other: string): LossgraftError {
  return new LossgraftError({
    code: 'external-shared',
    where: `${model.name}, tensor "${name}"`,
    expected: 'its own bytes in the external data, which can be changed',
    found: `bytes that "${other}" shares`,
    hint: 'Save the model with embedded weights, or with separate data for each tensor',
  });
}

function refuseTarget(target: string, from: string, force: boolean): void {
  const there = statSync(target, { throwIfNoEntry: false });
  const isSource = there !== undefined && realpathSync(target) === realpathSync(from);
  if (there === undefined || (force && !isSource)) return;
  throw new LossgraftError({
    code: 'external-exists',
    where: target,
    expected: 'no file with that name, for the external data of the tuned model',
    found: isSource ? "the model's own data" : 'a file',
    hint: isSource
      ? 'Choose another output name or folder'
      : `Choose another output, or replace it with ${option('force')}`,
  });
}

/** Copies a data file to `to` with its patches. @throws LossgraftError `copy-failed`. */
export function copyPatched({ from, target, patches }: DataCopy, to: string): void {
  try {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
    const fd = openSync(to, 'r+');
    try {
      for (const { offset, bytes } of patches) {
        for (let done = 0; done < bytes.length; )
          done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new LossgraftError({
      code: 'copy-failed',
      where: target,
      expected: `a copy of ${from}`,
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Check the folder, its permissions and the free disk space',
      cause,
    });
  }
}
