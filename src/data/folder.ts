import { readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import type { Column, Dataset } from './dataset.ts';
import { labelColumn } from './labels.ts';
import { MAX_CLASSES, MAX_FILES } from './limits.ts';
import { byCodePoint } from './order.ts';

/** The samples of a folder. */
export interface SampleFolder {
  /** Below the folder, sorted. */
  readonly files: readonly string[];
  /** What was ignored. */
  readonly notes: readonly string[];
}

/** A folder with a subfolder for each class. */
export interface ClassFolder extends SampleFolder {
  /** The names of the subfolders, sorted; `undefined` if they are whole numbers, which are indices. */
  readonly names: readonly string[] | undefined;
  /** The name and the number of files of each folder. */
  readonly classes: readonly { readonly name: string; readonly label: number; readonly files: number }[];
  /** The class of each file, class by class. */
  readonly labels: Uint32Array;
}

/** The label fields of a data set, from a folder's names; empty if they are not classes. */
export function folderLabels(
  folder: string,
  listed: ClassFolder | SampleFolder,
): Pick<Dataset, 'classNames' | 'classPlaces' | 'labelsFrom'> & { column?: Column } {
  if (!('labels' in listed)) return {};
  const { names, labels } = listed;
  const column = labelColumn(labels);
  if (names === undefined) return { column, labelsFrom: 'numbers' };
  return { column, labelsFrom: 'names', classNames: names, classPlaces: names.map((name) => join(folder, name)) };
}

/** `8 images of 2 classes` */
export function describeFiles(listed: ClassFolder | SampleFolder, what: string): string {
  const classes = 'classes' in listed ? ` of ${listed.classes.length} classes` : '';
  return `${listed.files.length} ${what}${classes}`;
}

/** The kind of files that a folder of classes holds. */
export type FolderKind = 'images' | 'texts';

const KINDS: readonly FolderKind[] = ['images', 'texts'];

const EXTENSIONS: Readonly<Record<FolderKind, RegExp>> = {
  images: /^\.(jpe?g|png|gif|webp|tiff?|bmp|ppm|pgm|pbm|avif|heic|jp2)$/i,
  texts: /^\.txt$/i,
};

/** By its extension. */
export function isImageName(name: string): boolean {
  return EXTENSIONS.images.test(extname(name));
}

/**
 * The kind of the files in the class folders: that of most classes, or else of most files. With a tokenizer it is texts, if there are
 * any.
 *
 * @throws LossgraftError `class-folders` if there are none, or equally many of both kinds.
 */
export function folderKind(
  folder: string,
  { tokenizer, unlabelled }: { readonly tokenizer?: string | undefined; readonly unlabelled?: boolean | undefined },
): FolderKind {
  const classes = subfolders(folder).map((name) => visibleNames(join(folder, name)));
  const listings = unlabelled ? [visibleNames(folder), ...classes] : classes;
  const [most, least] = KINDS.map((kind) => countsOf(kind, listings)).toSorted(
    (a, b) => b.classes - a.classes || b.files - a.files,
  );
  if (most === undefined || least === undefined || most.files === 0)
    throw refused(
      folder,
      'a subfolder per class, with images or .txt files; or IDX files',
      describe(folder),
      'Put the samples of each class into their own folder',
    );
  if (tokenizer !== undefined && least.files > 0) return 'texts';
  if (most.classes > least.classes || most.files > least.files) return most.kind;
  throw refused(
    folder,
    'images or texts in the folders of the classes',
    `${most.files} of both`,
    `Give the texts a ${option('tokenizer')}, or take them out`,
  );
}

interface KindCount {
  readonly kind: FolderKind;
  readonly classes: number;
  readonly files: number;
}

function countsOf(kind: FolderKind, listings: readonly (readonly string[])[]): KindCount {
  const counts = listings.map((names) => names.filter((name) => EXTENSIONS[kind].test(extname(name))).length);
  return { kind, classes: counts.filter((count) => count > 0).length, files: counts.reduce((a, b) => a + b, 0) };
}

/**
 * Lists a folder's classes and their files.
 *
 * @throws LossgraftError `class-folders` for an empty class and for folders in class folders, `outside-folder` for links that lead out.
 */
export function listClasses(folder: string, kind: FolderKind): ClassFolder {
  const found = subfolders(folder);
  const isNumbers = areNumbers(found);
  const root = realpathSync(folder);
  const files: string[] = [];
  const labels: number[] = [];
  const classes: ClassFolder['classes'][number][] = [];
  const aside: string[] = visibleNames(folder).filter((name) => !found.includes(name));
  for (const [index, name] of found.entries()) {
    const label = isNumbers ? Number(name) : index;
    const before = files.length;
    for (const entry of visibleNames(join(folder, name))) {
      const path = `${name}/${entry}`;
      if (!EXTENSIONS[kind].test(extname(entry))) aside.push(path);
      else files.push(path);
      refuseOutside(root, folder, path);
      refuseNested(folder, path);
    }
    if (files.length > MAX_FILES) throw refused(folder, `at most ${MAX_FILES} files`, 'more', 'Use some of them');
    if (files.length === before)
      throw refused(join(folder, name), `${kind} of class ${name}`, 'none', 'Remove the folder, or add files');
    classes.push({ name, label, files: files.length - before });
    while (labels.length < files.length) labels.push(label);
  }
  const notes = leftAside(folder, aside);
  return { names: isNumbers ? undefined : found, classes, files, labels: Uint32Array.from(labels), notes };
}

/**
 * Lists samples without their classes: those in a folder, then those in its subfolders. @throws LossgraftError as {@link listClasses}
 * does.
 */
export function listSamples(folder: string, kind: FolderKind): SampleFolder {
  const root = realpathSync(folder);
  const inside = subfolders(folder);
  const own = visibleNames(folder).filter((name) => !inside.includes(name));
  const all = [
    ...own,
    ...inside.flatMap((name) => visibleNames(join(folder, name)).map((entry) => `${name}/${entry}`)),
  ];
  const files = all.filter((path) => EXTENSIONS[kind].test(extname(path)));
  if (files.length > MAX_FILES) throw refused(folder, `at most ${MAX_FILES} files`, 'more', 'Use some of them');
  if (files.length === 0) throw refused(folder, kind, describe(folder), 'Pass the folder that contains them');
  for (const path of all) {
    refuseOutside(root, folder, path);
    refuseNested(folder, path);
  }
  return {
    files,
    notes: leftAside(
      folder,
      all.filter((path) => !EXTENSIONS[kind].test(extname(path))),
    ),
  };
}

function leftAside(folder: string, paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  return [`${folder}: ${paths.length} other file${paths.length === 1 ? '' : 's'} left aside, the first ${paths[0]}`];
}

/** Are the folder names distinct whole numbers of at least 0? */
function areNumbers(names: readonly string[]): boolean {
  const isNumber = (name: string): boolean => /^\d+$/.test(name) && Number(name) < MAX_CLASSES;
  return names.every(isNumber) && new Set(names.map(Number)).size === names.length;
}

/** What operating systems leave in folders: never a class, and never a sample. */
const HIDDEN =
  /^(\..*|__MACOSX|(eh)?thumbs\.db|desktop\.ini|@eaDir|\$RECYCLE\.BIN|System Volume Information|lost\+found|Icon\r)$/i;

/** The names in a folder, without hidden ones, sorted. */
export function visibleNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !HIDDEN.test(name))
    .sort(byCodePoint);
}

function subfolders(folder: string): string[] {
  return visibleNames(folder).filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory());
}

function refuseOutside(root: string, folder: string, path: string): void {
  const real = attempt(() => realpathSync(join(folder, path)));
  if (real?.startsWith(root + sep)) return;
  throw new LossgraftError({
    code: 'outside-folder',
    where: join(folder, path),
    expected: `a file within ${folder}`,
    found: real === undefined ? 'a broken link' : `a link to ${real}`,
    hint: 'Copy the file there, or remove the link',
  });
}

function refuseNested(folder: string, path: string): void {
  if (!statSync(join(folder, path)).isDirectory()) return;
  throw refused(
    join(folder, path),
    'files in the folder of a class',
    'a folder',
    'Pass the folder whose subfolders are the classes, such as DIR/train',
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
  const names = visibleNames(folder);
  if (names.length === 0) return 'an empty folder';
  const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? `, … (${names.length})` : ''}`;
  return subfolders(folder).length === 0 ? shown : `${shown}, without such files`;
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'class-folders', where, expected, found, hint });
}
