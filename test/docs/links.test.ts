import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli.ts';
import { pages } from '../support/pages.ts';

/** A heading's anchor, as GitHub makes it. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading));

function brokenLinks(page: string): string[] {
  const links = readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g);
  return [...links].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path = '', hash] = link.split('#');
    const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path);
    if (!existsSync(target)) return [link];
    return hash !== undefined && !anchorsOf(target).includes(hash) ? [link] : [];
  });
}

describe('links of the documentation', () => {
  it.each(pages)('%s leads to files and headings that exist', (page) => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it('reaches every page from the index', () => {
    const index = readFileSync(join(ROOT, 'docs/README.md'), 'utf8');
    const missing = pages
      .filter((page) => page.startsWith('docs') && page !== join('docs', 'README.md'))
      .filter((page) => !index.includes(`](${relative('docs', page)})`));
    expect(missing).toEqual([]);
  });
});
