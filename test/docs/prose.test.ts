import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli.ts';
import { pages } from '../support/pages.ts';

/** Lines of prose stay below so many characters. */
const WIDTH = 140;

/** Lines that can be wrapped, and are not: tables, code and words without a space in them stay as they are. */
function longLines(text: string): string[] {
  const prose = text.replaceAll(/^( *)(```|~~~).*?^\1\2/gms, '');
  return prose.split('\n').filter((line) => line.length >= WIDTH && !line.startsWith('|') && /\S \S+ \S/.test(line));
}

describe('prose of the documentation', () => {
  it.each(pages)('%s has lines that fit into an editor', (page) => {
    expect(longLines(readFileSync(join(ROOT, page), 'utf8'))).toEqual([]);
  });

  it('is measured outside tables and code', () => {
    const long = 'word '.repeat(30);
    expect(longLines(`${long}\n| ${long}|\n\`\`\`sh\n${long}\n\`\`\`\nshort`)).toEqual([long]);
  });
});
