import { once } from 'node:events';
import Table from 'cli-table3';
import { withFlags } from './flags.ts';
import { record, tell } from './log.ts';

/** Prints a result as JSON. Numbers that JSON does not have (NaN, Infinity) become their names. */
export async function printJson(value: unknown): Promise<void> {
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === 'number' && !Number.isFinite(item) ? String(item) : item),
    2,
  );
  await print(`${text}\n`);
}

/** Writes a result to stdout and to the log. */
export async function print(text: string): Promise<void> {
  record(text);
  await printData(text);
}

/** Writes to stdout, no faster than its reader reads. */
export async function printData(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Prints a note for the user on stderr. */
export function note(text: string): void {
  tell(`note: ${withFlags(text)}\n`);
}

/** Prints notes as they come; `noteRest` prints those of a result that were not printed yet. */
export function noteOnce(): { onNote(text: string): void; noteRest(notes: readonly string[]): void } {
  const said = new Set<string>();
  const onNote = (text: string): void => {
    said.add(text);
    note(text);
  };
  const noteRest = (notes: readonly string[]): void => {
    for (const text of notes) if (!said.has(text)) note(text);
  };
  return { onNote, noteRest };
}

type Cell = string | number | null;

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Columns without lines, numbers aligned right. Control characters, which could come from a file, are escaped. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const numeric = (rows[0] ?? []).map((_, i) => rows.every((row) => typeof row[i] !== 'string'));
  const colAligns = numeric.map((isNumber) => (isNumber ? ('right' as const) : ('left' as const)));
  const style = { 'padding-left': 0, 'padding-right': 0, head: [], border: [] };
  const drawn = new Table({ chars: PLAIN, style, colAligns, ...(head.length > 0 ? { head: [...head] } : {}) });
  drawn.push(...rows.map((row) => row.map(show)));
  return `${drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

function show(cell: Cell): string {
  if (cell === null) return '-';
  return typeof cell === 'number' ? formatNumber(cell) : printable(withFlags(cell));
}

/** Six significant digits; whole numbers as they are. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value);
}

/** Escapes control characters: names come from files, and a terminal would obey them. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (c) =>
    c === '\n' ? c : `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** `float32 [N, 3, 224, 224]` */
export function describeType(dtype: string, shape: readonly (number | string | null)[] | null): string {
  return `${dtype} ${shape === null ? '(rank unknown)' : `[${shape.map((dim) => dim ?? '?').join(', ')}]`}`;
}
