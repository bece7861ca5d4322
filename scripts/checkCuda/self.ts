import { fileURLToPath } from 'node:url';

/** This program again, in a process of its own: the built file by Node alone, the source through tsx. */
export function selfCommand(args: readonly string[]): string[] {
  const isSource = import.meta.url.endsWith('.ts');
  const main = fileURLToPath(new URL(isSource ? './main.ts' : './main.js', import.meta.url));
  return [process.execPath, ...(isSource ? ['--import', 'tsx'] : []), main, ...args];
}
