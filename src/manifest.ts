import { LossgraftError } from './errors.ts';
import { isRecord } from './isRecord.ts';
import type { ModelProto } from './onnx/types.ts';
import { TASK_NAMES, type Task } from './task.ts';

/** The metadata_props key of lossgraft's manifest. */
export const MANIFEST_KEY = 'lossgraft';

/** The manifest's kind of a model with trained weights and no loss. */
export const TUNED = 'tuned';

/** The content of an augmented model's manifest. */
export interface Manifest {
  readonly reduction: 'mean' | 'sum' | 'none';
  /** `undefined` if the host model does not tell. */
  readonly classes: number | undefined;
  /** For a head with one logit per sample: the tensor, and whether a sigmoid follows it before the output. */
  readonly binary: { readonly logits: string; readonly hasSigmoid: boolean } | undefined;
  /** The task of its labels. */
  readonly task: Task;
  /** lossgraft's own names (`labels`, `loss`, `loss_per_sample`, `ib_factor`) to those in this model. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * The manifest of an augmented model.
 *
 * @throws LossgraftError `not-augmented` if there is none, `bad-manifest` if `augment` did not write it.
 */
export function readManifest(proto: ModelProto): Manifest {
  const where = proto.source.name;
  const text = proto.metadata.get(MANIFEST_KEY);
  if (text === undefined || recordIn(text)?.kind === TUNED) {
    throw new LossgraftError({
      code: 'not-augmented',
      where,
      expected: 'a model that lossgraft augment wrote',
      found: text === undefined ? 'no lossgraft manifest in its metadata' : 'a tuned model',
      hint: 'Use lossgraft evaluate for metrics on labelled data, and lossgraft predict for predictions. For the losses of samples, augment it first',
    });
  }
  const manifest = parse(text);
  if (manifest !== undefined) return manifest;
  throw new LossgraftError({
    code: 'bad-manifest',
    where: `${where}, metadata "${MANIFEST_KEY}"`,
    expected: 'a manifest that lossgraft augment wrote',
    found: text.slice(0, 80),
    hint: 'Augment the original model again',
  });
}

/** The whole manifest of an augmented model or a training graph; a `problem` if it is not a JSON object, null without one. */
export function manifestRecord(proto: ModelProto): Readonly<Record<string, unknown>> | null {
  const text = proto.metadata.get(MANIFEST_KEY);
  if (text === undefined) return null;
  return recordIn(text) ?? { problem: `no JSON object in metadata "${MANIFEST_KEY}": ${text.slice(0, 80)}` };
}

function recordIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function parse(text: string): Manifest | undefined {
  const value = recordIn(text);
  if (value === undefined || !isRecord(value.names)) return undefined;
  const { reduction, classes, head, logits, task } = value;
  const names = new Map<string, string>();
  for (const [own, name] of Object.entries(value.names)) if (typeof name === 'string') names.set(own, name);
  if (!names.has('labels') || !names.has('loss_per_sample')) return undefined;
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none') return undefined;
  return {
    reduction,
    names,
    task: TASK_NAMES.find((name) => name === task) ?? 'exclusive',
    classes: typeof classes === 'number' ? classes : undefined,
    binary: isRecord(head) && head.kind === 'sigmoid-binary' && isRecord(logits) ? binaryIn(logits) : undefined,
  };
}

/** For a tensor named by the user there is no other evidence: a model mostly ends with a probability. */
function binaryIn({ name, how }: Readonly<Record<string, unknown>>): Manifest['binary'] {
  return { logits: String(name), hasSigmoid: /Sigmoid|^named by/.test(String(how)) };
}
