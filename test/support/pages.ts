import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './cli.ts';

/** All pages of the documentation, as paths from the root. */
export const pages: readonly string[] = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...['docs', 'fixtures', 'examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
];
