import { manifestRecord, TUNED } from '../manifest.ts';
import type { ModelProto } from '../onnx/types.ts';
import type { Task } from '../task.ts';
import { VERSION } from '../version.ts';
import { type ClassNames, namesRecord } from './names.ts';

/** What else a tuned model's manifest holds. */
export interface FurtherRecord {
  /** How tables are prepared for it. */
  readonly preparation?: unknown;
  /** For a multi-label model, with the probability thresholds above which labels are predicted. */
  readonly task?: Task;
  readonly thresholds?: readonly number[];
}

/** The manifest of a model whose classes or preparation are known; other entries of an existing manifest are kept. */
export function tunedManifest(
  proto: ModelProto,
  names: ClassNames | undefined,
  further: FurtherRecord,
): string | undefined {
  const prepared = Object.fromEntries(Object.entries(further).filter(([, value]) => value !== undefined));
  if (names === undefined && Object.keys(prepared).length === 0) return undefined;
  if (names === undefined) return JSON.stringify({ ...ownIn(proto), ...prepared });
  return JSON.stringify({ ...withoutClasses(proto), ...namesRecord(names), ...prepared });
}

/** The manifest of a model with changed classes. */
export function classesManifest(proto: ModelProto, names: ClassNames | undefined): string {
  return JSON.stringify({ ...withoutClasses(proto), ...namesRecord(names) });
}

function ownIn(proto: ModelProto): Readonly<Record<string, unknown>> {
  const before = manifestRecord(proto) ?? {};
  return 'problem' in before || before.kind === undefined ? { version: VERSION, kind: TUNED } : before;
}

function withoutClasses(proto: ModelProto): Readonly<Record<string, unknown>> {
  const { classNames: _, classesAreValues: __, ...kept } = ownIn(proto);
  return kept;
}
