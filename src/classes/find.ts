import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { manifestRecord } from '../manifest.ts';
import type { ModelProto } from '../onnx/types.ts';
import { labelsInGraph } from './graphLabels.ts';
import { metadataNames } from './metadata.ts';
import { type ClassNames, classNames, namesIn } from './names.ts';

/** A model's class names, and notes on them for the user. */
export interface FoundNames {
  readonly names: ClassNames | undefined;
  /** The first names whose number differs from the model's classes. */
  readonly leftAside: ClassNames | undefined;
  readonly notes: readonly string[];
}

/** Where to look. */
export interface NamesPlace {
  /** Names given by the user. */
  readonly given?: readonly string[] | undefined;
  readonly proto: ModelProto;
  /** The model's folder, in which a config.json may stand. */
  readonly dir?: string | undefined;
  /** How many classes the model distinguishes. */
  readonly classes?: number | undefined;
}

/** The source of given names. */
const GIVEN = option('classNames');

/**
 * The names of a model's classes: given ones, or else those in lossgraft's manifest in the file, its metadata (Ultralytics' `names` and
 * the like), labels in its graph (ZipMap and others of ai.onnx.ml), or Hugging Face's `config.json` beside it, or above a folder `onnx`.
 * Names whose number differs from the model's classes are ignored, and placeholders if there are others. Notes report that, and
 * contradictions between sources.
 */
export function findClassNames({ given, proto, dir, classes }: NamesPlace): FoundNames {
  const notes: string[] = [];
  const all = [
    ...(given === undefined ? [] : [classNames(given, GIVEN, true)]),
    ...fromManifest(proto),
    ...fromMetadata(proto, classes),
    ...labelsInGraph(proto, dir),
    ...(dir === undefined ? [] : fromConfig(dir, notes)),
  ];
  const fitting = all.filter(({ names, from }) => {
    const fits = classes === undefined || names.length === classes || from === GIVEN;
    if (!fits)
      notes.push(`${from} names ${names.length} classes, but the model has ${classes}; these names are ignored`);
    return fits;
  });
  const names = given === undefined ? (fitting.find((one) => !one.arePlaceholders) ?? fitting[0]) : fitting[0];
  const other = fitting.find((one) => names && !one.arePlaceholders && differ(one, names));
  if (names && other)
    notes.push(`${names.from} and ${other.from} name the classes differently; ${names.from} takes precedence`);
  return { names, leftAside: all.find((one) => !fitting.includes(one)), notes };
}

function differ(a: ClassNames, b: ClassNames): boolean {
  return a.names.some((name, i) => name !== b.names[i]);
}

function fromManifest(proto: ModelProto): ClassNames[] {
  const manifest = manifestRecord(proto);
  const names = namesIn(manifest?.classNames);
  return names === undefined ? [] : [classNames(names, "lossgraft's manifest", manifest?.classesAreValues === true)];
}

function fromMetadata(proto: ModelProto, classes: number | undefined): ClassNames[] {
  return metadataNames(proto, classes).map(({ key, names }) => classNames(names, `the metadata "${key}" of the file`));
}

/** A config.json of 22,000 classes has 1 MB; a larger file is something else (CWE-770). */
const MAX_CONFIG_BYTES: number = 16 * 2 ** 20;

function fromConfig(dir: string, notes: string[]): ClassNames[] {
  const paths = [join(dir, 'config.json'), ...(basename(dir) === 'onnx' ? [join(dirname(dir), 'config.json')] : [])];
  for (const path of paths) {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) continue;
    const config = size > MAX_CONFIG_BYTES ? undefined : readJson(path);
    if (config === undefined)
      notes.push(`${path} is not a JSON file of at most ${MAX_CONFIG_BYTES} bytes, so it is ignored`);
    const key = ['id2label', 'label2id', 'label_names'].find(
      (name) => namesIn(config?.[name], name === 'label2id') !== undefined,
    );
    const names = key === undefined ? undefined : namesIn(config?.[key], key === 'label2id');
    if (names !== undefined) return [classNames(names, `${key} of ${path}`)];
  }
  return [];
}

function readJson(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** @throws LossgraftError `class-count-mismatch` if the number of names differs from the model's classes. */
export function checkNames(given: readonly string[], classes: number): void {
  if (given.length === classes) return;
  throw new LossgraftError({
    code: 'class-count-mismatch',
    where: 'option classes',
    expected: `${classes} names, one for each class of the model`,
    found: String(given.length),
    hint: `Name all of them in the order of the model’s scores, including those without samples; training with ${option('head', 'new')} makes a model of these classes alone`,
  });
}
