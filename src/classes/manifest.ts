import { manifestRecord, TUNED } from '../manifest.ts';
import type { ModelProto } from '../onnx/types.ts';
import type { Task } from '../task.ts';
import { VERSION } from '../version.ts';
import { type ClassNames, namesRecord } from './names.ts';

/** What else a tuned model says of itself. */
export interface FurtherRecord {
  /** How tables are prepared for it. */
  readonly preparation?: unknown;
  /** Of a multi-label model, with the probabilities from which on labels are predicted. */
  readonly task?: Task;
  readonly thresholds?: readonly number[];
}

/** The manifest of a model whose classes or preparation are known; one that lossgraft wrote before keeps what else it says. */
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

/** The manifest of a model that got other classes. */
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
