import type { Dropped } from '../protocol.ts';
import { element, fileInput } from './dom.ts';

/** Files that are dropped or chosen, with their paths in what was dropped. */

type Take = (files: readonly Dropped[]) => void;

/** A place to drop files on, and the inputs that stand beside it for the keyboard. */
export function takeDrops(place: string, inputs: readonly string[], take: Take): void {
  const zone = element(place);
  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    zone.classList.add('over');
  });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', async (event) => {
    event.preventDefault();
    zone.classList.remove('over');
    // The list of items is empty after the first await.
    const entries = [...(event.dataTransfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
    take((await Promise.all(entries.map(filesIn))).flat());
  });
  for (const id of inputs) {
    const input = fileInput(id);
    input.addEventListener('change', () => {
      take([...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
      // The same file may be chosen again after it was changed.
      input.value = '';
    });
  }
}

/** What falls beside the places would replace the page. */
export function ignoreOtherDrops(): void {
  for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());
}

async function filesIn(entry: FileSystemEntry): Promise<Dropped[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), file }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives at most 100 at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map(filesIn))).flat();
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;
