import { manifestRecord, TUNED } from '../manifest.ts';
import type { ModelProto } from '../onnx/types.ts';
import { VERSION } from '../version.ts';
import { type ClassNames, namesRecord } from './names.ts';

/** The manifest of a model whose classes or preparation are known; one that lossgraft wrote before keeps what else it says. */
export function tunedManifest(
  proto: ModelProto,
  names: ClassNames | undefined,
  preparation: unknown,
): string | undefined {
  if (names === undefined && preparation === undefined) return undefined;
  const prepared = preparation === undefined ? {} : { preparation };
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
