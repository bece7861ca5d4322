/** A page has no files beside its modules: their addresses stand in for paths. */
export function fileURLToPath(url: URL | string): string {
  return new URL(url).pathname;
}

export function pathToFileURL(path: string): URL {
  return new URL(path, 'file:///');
}
