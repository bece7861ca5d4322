import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRows, type ShardRows } from '../data/shards/rows.ts';
import { type FolderFiles, folderFiles } from '../data/shards/verified.ts';
import { LossgraftError, option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import {
  PART_FORMAT,
  PART_NAME,
  type PartInputs,
  type PartManifest,
  type PassName,
  type RecordedPass,
} from './format.ts';
import type { Pass } from './pass.ts';
import { rowsOfPart } from './plan.ts';

/** Parts that belong together and are all there. */
export interface MergedParts {
  readonly notes: readonly string[];
  /** What a model gave for all rows. @throws LossgraftError `parts-differ` for rows or batches that the parts were not made of. */
  pass(name: PassName): Pass;
  close(): void;
}

/**
 * Opens the parts in a folder.
 *
 * @param inputs what they must have been made of.
 * @throws LossgraftError `part-missing`, `part-twice` or `parts-differ`, naming the part.
 */
export function openParts(folder: string, inputs: PartInputs): MergedParts {
  const found = readParts(folder);
  const parts = inOrder(folder, found);
  for (const each of parts) refuseOther(each, inputs);
  const [first] = parts;
  const provider = first?.manifest.provider ?? 'cpu';
  const stranger = parts.find(({ manifest }) => manifest.provider !== provider);
  if (stranger) throw differs(stranger, `the provider ${provider}, as of part 1`, stranger.manifest.provider);
  const opened: FolderFiles[] = [];
  return {
    notes: cpuNotes(parts),
    pass: (name) => mergedPass(parts, name, provider, opened),
    close: () => {
      for (const files of opened) files.close();
    },
  };
}

/** A part that is there already, made of these inputs. @throws LossgraftError `parts-differ` if it was made of others. */
export function partDone(folder: string, inputs: PartInputs): PartManifest | undefined {
  if (!existsSync(join(folder, PART_NAME))) return undefined;
  const manifest = readPart(folder);
  refuseOther({ folder, manifest }, inputs, `Name another folder with ${option('parts')}, or add ${option('force')}`);
  return manifest;
}

interface Part {
  readonly folder: string;
  readonly manifest: PartManifest;
}

function readParts(folder: string): Part[] {
  const entries = existsSync(folder) ? readdirSync(folder).sort() : [];
  const folders = entries
    .filter((name) => !name.startsWith('.'))
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, PART_NAME)));
  if (folders.length > 0) return folders.map((path) => ({ folder: path, manifest: readPart(path) }));
  throw new LossgraftError({
    code: 'part-missing',
    where: folder,
    expected: 'the parts of a result',
    found: existsSync(folder) ? 'none' : 'no such folder',
    hint: `Run each part first, with ${option('part', '1/16')} and so on`,
  });
}

function readPart(folder: string): PartManifest {
  const path = join(folder, PART_NAME);
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(found) && found.format === PART_FORMAT && found.version === 1) return found as unknown as PartManifest;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new LossgraftError({
    code: 'parts-differ',
    where: path,
    expected: `a part, "format": "${PART_FORMAT}", version 1`,
    found: 'another file',
    hint: 'Remove its folder, and run the part again',
  });
}

/** Parts 1 to n, each once. */
function inOrder(folder: string, found: readonly Part[]): Part[] {
  const of = found[0]?.manifest.of ?? 0;
  const other = found.find(({ manifest }) => manifest.of !== of);
  if (other) throw differs(other, `a part of ${of}, as in ${found[0]?.folder}`, `one of ${other.manifest.of}`);
  const parts = new Map<number, Part>();
  for (const each of found) {
    const { part } = each.manifest;
    const twin = parts.get(part);
    if (twin) {
      throw new LossgraftError({
        code: 'part-twice',
        where: folder,
        expected: 'each part once',
        found: `part ${part}/${of} in ${twin.folder} and in ${each.folder}`,
        hint: 'Remove one of the two folders',
      });
    }
    parts.set(part, each);
  }
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((part) => !parts.has(part));
  if (missing.length === 0)
    return Array.from({ length: of }, (_, i) => parts.get(i + 1)).filter((part) => part !== undefined);
  const shown = missing.slice(0, 8).map((part) => `${part}/${of}`);
  throw new LossgraftError({
    code: 'part-missing',
    where: folder,
    expected: `${of} parts`,
    found: `${parts.size}: without ${shown.join(', ')}${missing.length > 8 ? `, … (${missing.length})` : ''}`,
    hint: `Run ${missing.length === 1 ? 'it' : 'them'} again, with ${option('part', `${missing[0]}/${of}`)}${missing.length === 1 ? '' : ' and so on'}`,
  });
}

/** What a user calls the inputs of a part. */
const CALLED: Readonly<Record<keyof PartInputs, string>> = {
  command: 'the command',
  model: 'the model',
  against: 'the other model',
  data: 'the data',
  options: 'the options',
  versions: 'the versions',
};

function refuseOther(part: Part, inputs: PartInputs, hint?: string): void {
  for (const [key, called] of Object.entries(CALLED) as [keyof PartInputs, string][]) {
    const [expected, found] = [inputs[key], part.manifest.inputs[key]].map(shown);
    if (expected !== found) throw differs(part, `${called} of this command, ${expected}`, found ?? 'nothing', hint);
  }
}

/** With sorted keys; hashes are cut. */
function shown(value: unknown): string {
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? `SHA-256 ${value.slice(0, 12)}…` : value;
  if (!isRecord(value)) return Array.isArray(value) ? `[${value.map(shown).join(', ')}]` : String(value);
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => `${key}: ${shown(each)}`)
    .join(', ')}}`;
}

function differs({ folder, manifest }: Part, expected: string, found: string, hint?: string): LossgraftError {
  return new LossgraftError({
    code: 'parts-differ',
    where: `${folder}, part ${manifest.part}/${manifest.of}`,
    expected,
    found,
    hint: hint ?? 'Run that part again as the others, or merge with what the parts were made of',
  });
}

function cpuNotes(parts: readonly Part[]): string[] {
  const found = [...new Set(parts.map(({ manifest }) => manifest.cpu))];
  if (found.length < 2) return [];
  return [
    `The parts ran on ${found.length} kinds of processors, ${found.join(', ')}: last digits may differ from those of one`,
  ];
}

function mergedPass(parts: readonly Part[], name: PassName, provider: Pass['provider'], opened: FolderFiles[]): Pass {
  const places = parts.map((part) => {
    const pass = part.manifest.passes[name];
    if (pass === undefined) throw differs(part, `the scores of the model and of the other`, 'those of one');
    return { part, pass, read: reader(part, pass, opened) };
  });
  return {
    ...(provider === undefined ? {} : { provider }),
    rows: (total, batchSize) => {
      for (const { part, pass } of places) {
        const { first, last } = rowsOfPart(part.manifest, total, batchSize);
        const expected = `rows ${first} to ${last} of ${total} in batches of ${batchSize}`;
        const found = `rows ${pass.first} to ${pass.last} of ${pass.total} in batches of ${pass.batchSize}`;
        if (expected !== found) throw differs(part, expected, found);
      }
      return { first: 0, last: total };
    },
    through: async (start, count) => {
      const place = places.find(({ pass }) => pass.first <= start && start + count <= pass.last);
      if (place === undefined) throw new RangeError(`rows ${start} to ${start + count} are in no part`);
      return place.read(start - place.pass.first, count);
    },
  };
}

function reader({ folder }: Part, pass: RecordedPass, opened: FolderFiles[]) {
  let tensors: readonly (readonly [string, ShardRows])[] | undefined;
  const rows = pass.last - pass.first;
  return (start: number, count: number) => {
    if (tensors === undefined) {
      const files = folderFiles(folder, 'run the part again');
      opened.push(files);
      tensors = pass.tensors.map((tensor) => {
        const where = `${folder}, ${tensor.name}`;
        return [tensor.name, openRows(tensor, { rows, rowsPerShard: rows }, files, where)] as const;
      });
    }
    return Object.fromEntries(tensors.map(([key, each]) => [key, each.read(start, count)]));
  };
}
