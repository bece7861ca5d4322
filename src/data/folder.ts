import { readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { MAX_FILES } from './limits.ts';
import { byCodePoint } from './order.ts';

/** A folder with a subfolder for each class. */
export interface ClassFolder {
  /** As they were given, or the names of the subfolders, sorted. */
  readonly classes: readonly string[];
  /** Sorted within each class, classes one after the other; below the folder. */
  readonly files: readonly string[];
  /** The class of each file. */
  readonly labels: Uint32Array;
  /** What was left aside. */
  readonly notes: readonly string[];
}

/** What files a folder of classes holds. */
export type FolderKind = 'images' | 'texts';

const KINDS: readonly FolderKind[] = ['images', 'texts'];

const EXTENSIONS: Readonly<Record<FolderKind, RegExp>> = {
  images: /^\.(jpe?g|png|gif|webp|tiff?|bmp|ppm|pgm|pbm|avif|heic|jp2)$/i,
  texts: /^\.txt$/i,
};

/** The kind of the files in the class folders. @throws LossgraftError `class-folders` where there are none, or of both kinds. */
export function folderKind(folder: string): FolderKind {
  const found = new Set<FolderKind>();
  for (const name of subfolders(folder)) {
    for (const file of readdirSync(join(folder, name))) {
      for (const kind of KINDS) if (EXTENSIONS[kind].test(extname(file))) found.add(kind);
    }
    if (found.size > 0) break;
  }
  const [kind, other] = found;
  if (kind !== undefined && other === undefined) return kind;
  throw refused(
    folder,
    'a subfolder for each class, with images or .txt files; or IDX files',
    other === undefined ? describe(folder) : 'images and texts beside each other',
    'Put the samples of each class into a folder of its own',
  );
}

/**
 * Lists a folder's classes and their files. Names that begin with a dot are passed over.
 *
 * @param given the classes in the order of their indices; not all of them need a folder.
 * @throws LossgraftError `class-folders` for an empty class and for folders in class folders, `unknown-class` for folders that are not
 * among the given classes, `outside-folder` for links that lead out.
 */
export function listClasses(folder: string, kind: FolderKind, given?: readonly string[]): ClassFolder {
  const found = subfolders(folder);
  const classes = given ?? found;
  refuseUnknown(folder, found, classes);
  const root = realpathSync(folder);
  const files: string[] = [];
  const labels: number[] = [];
  const aside: string[] = visible(folder).filter((name) => !found.includes(name));
  for (const name of found) {
    const label = classes.indexOf(name);
    const before = files.length;
    for (const entry of visible(join(folder, name))) {
      const path = `${name}/${entry}`;
      if (!EXTENSIONS[kind].test(extname(entry))) aside.push(path);
      else files.push(path);
      refuseOutside(root, folder, path);
      refuseNested(folder, path);
    }
    if (files.length > MAX_FILES) throw refused(folder, `at most ${MAX_FILES} files`, 'more', 'Take a part of them');
    if (files.length === before)
      throw refused(join(folder, name), `${kind} of class ${name}`, 'none', 'Remove the folder, or fill it');
    while (labels.length < files.length) labels.push(label);
  }
  const notes = aside.length === 0 ? [] : [`${folder}: ${aside.length} other files left aside, the first ${aside[0]}`];
  return { classes, files, labels: Uint32Array.from(labels), notes };
}

function refuseUnknown(folder: string, found: readonly string[], classes: readonly string[]): void {
  const unknown = found.find((name) => !classes.includes(name));
  if (unknown === undefined) return;
  throw new LossgraftError({
    code: 'unknown-class',
    where: `${folder}/${unknown}`,
    expected: `a folder among ${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', …' : ''}`,
    found: unknown,
    hint: 'Name all classes with --classes, or take the folder out',
  });
}

function visible(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort(byCodePoint);
}

function subfolders(folder: string): string[] {
  return visible(folder).filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory());
}

function refuseOutside(root: string, folder: string, path: string): void {
  const real = attempt(() => realpathSync(join(folder, path)));
  if (real?.startsWith(root + sep)) return;
  throw new LossgraftError({
    code: 'outside-folder',
    where: join(folder, path),
    expected: `a file within ${folder}`,
    found: real === undefined ? 'a link that leads nowhere' : `a link to ${real}`,
    hint: 'Copy the file there, or take the link out',
  });
}

function refuseNested(folder: string, path: string): void {
  if (!statSync(join(folder, path)).isDirectory()) return;
  throw refused(
    join(folder, path),
    'files in the folder of a class',
    'a folder',
    'Give the folder whose subfolders are the classes, such as DIR/train',
  );
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function describe(folder: string): string {
  const names = visible(folder);
  const shown = names.slice(0, 5).join(', ');
  return names.length === 0 ? 'an empty folder' : `${shown}${names.length > 5 ? `, … (${names.length})` : ''}`;
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'class-folders', where, expected, found, hint });
}
