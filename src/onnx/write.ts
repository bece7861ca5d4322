import { statSync } from 'node:fs';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { isFileSource } from '../files/source.ts';
import { type WholeOptions, writeAll, writeWhole } from '../files/whole.ts';
import { applyEdit } from './edit.ts';
import { checkEdit } from './guards.ts';
import { COPY_BYTES, MAX_MODEL_BYTES } from './limits.ts';
import { materialize, type Segment, segmentsLength } from './patch.ts';
import type { ModelEdit, ModelProto } from './types.ts';

/**
 * Writes the edited model to `outPath`: into a temporary file of the same folder, then renamed, so that `outPath` is whole or
 * untouched. Memory stays small whatever the model's size. Errors: `output-is-input`, `output-too-large`, `disk-full`,
 * `write-failed`, and those of {@link checkEdit}.
 */
export function writeModel(
  model: ModelProto,
  edit: ModelEdit,
  outPath: string,
  options: Pick<WholeOptions, 'durable'> = {},
): void {
  checkNotInput(model.source, outPath);
  checkEdit(model, edit);
  const segments = applyEdit(model, edit);
  checkSize(segmentsLength(segments), outPath);
  const write = (fd: number): void => writeSegments(fd, model.source, segments);
  writeWhole(outPath, write, { ...options, failed: (cause) => writeError(outPath, cause) });
}

/** The edited model in memory. Errors: `output-too-large` and those of {@link applyEdit}. */
export function editedBytes(model: ModelProto, edit: ModelEdit): Uint8Array {
  const segments = applyEdit(model, edit);
  checkSize(segmentsLength(segments), model.source.name);
  return materialize(model.source, segments);
}

/**
 * Writes end on multiples of the buffer's size in the *output*, so that the system fills whole pages: a quarter less time than at
 * the source's offsets, which an edit shifts by odd amounts.
 */
function writeSegments(fd: number, source: ByteSource, segments: readonly Segment[]): void {
  const buffer = Buffer.allocUnsafeSlow(COPY_BYTES);
  let written = 0;
  for (const segment of segments) {
    if (segment.kind === 'bytes') {
      writeAll(fd, segment.bytes);
      written += segment.bytes.length;
      continue;
    }
    for (let at = segment.start; at < segment.end; ) {
      const chunk = buffer.subarray(0, Math.min(COPY_BYTES - (written % COPY_BYTES), segment.end - at));
      source.readInto(chunk, at);
      writeAll(fd, chunk);
      at += chunk.length;
      written += chunk.length;
    }
  }
}

function checkNotInput(source: ByteSource, outPath: string): void {
  const out = statSync(outPath, { throwIfNoEntry: false, bigint: true });
  const input = isFileSource(source) ? source.identity : undefined;
  if (out === undefined || input === undefined || out.ino !== input.ino || out.dev !== input.dev) return;
  throw new LossgraftError({
    code: 'output-is-input',
    where: outPath,
    expected: 'a file other than the model itself',
    found: 'the same file',
    hint: 'Choose another output name',
  });
}

function checkSize(size: number, where: string): void {
  if (size <= MAX_MODEL_BYTES) return;
  throw new LossgraftError({
    code: 'output-too-large',
    where,
    expected: `at most ${MAX_MODEL_BYTES} bytes, protobuf's limit`,
    found: `${size} bytes`,
    hint: 'Keep the weights as external data: in Python, onnx.save(model, path, save_as_external_data=True)',
  });
}

function writeError(outPath: string, cause: unknown): LossgraftError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new LossgraftError({
    code: full ? 'disk-full' : 'write-failed',
    where: outPath,
    expected: full ? 'free space on the disk' : 'a place to write to',
    found: cause instanceof Error ? cause.message : String(cause),
    hint: full
      ? 'Free some space or choose another disk; no partial file was left'
      : 'Check the folder and its permissions',
    cause,
  });
}
