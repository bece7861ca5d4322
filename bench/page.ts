import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { comparison } from './compare.ts';
import { growth } from './growth.ts';
import { type Results, writeResults } from './results.ts';
import { markdownOf, type Section, type Settings } from './section.ts';
import { start } from './start.ts';
import { waiting } from './waiting.ts';

const PAGE: string = fileURLToPath(new URL('../docs/internals/performance.md', import.meta.url));
const BEGIN = '<!-- begin: npm run bench -->';
const END = '<!-- end: npm run bench -->';

/** In the order of the page. */
export function sectionsOf(results: Results, settings: Settings): Section[] {
  return [
    comparison('torch', results, settings),
    growth(results, settings),
    start(results, settings),
    waiting(results, settings),
    comparison('plain', results, settings),
  ];
}

/** Keeps all rows, and puts their tables between the page's two comments. */
export function writeAll(results: Results, sections: readonly Section[]): void {
  writeResults(results);
  const { before, after } = readPage();
  writeFileSync(PAGE, `${before}${textOf(results, sections)}${after}`);
}

/** The page, parted at what is generated. */
export function readPage(): { readonly before: string; readonly generated: string; readonly after: string } {
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
  if (begin < BEGIN.length || end < begin) throw new Error(`${PAGE} has no ${BEGIN} with ${END} behind it`);
  return { before: page.slice(0, begin), generated: page.slice(begin, end), after: page.slice(end) };
}

export function textOf({ on }: Results, sections: readonly Section[]): string {
  const machine =
    `${on.cores} cores of an ${on.cpu}, ${on.threads} threads, blocks of ${on.block} channels;\nNode ${on.node}, ` +
    `onnxruntime-node ${on['onnxruntime-node']}, PyTorch ${on.torch} eager. Bold: above the limit.`;
  const tables = sections.map(markdownOf).filter((table) => table !== '');
  return `\n${[machine, ...tables].join('\n\n')}\n`;
}
