import Table from 'cli-table3';
import type { Build } from './build.ts';
import { busyPercent } from './busy.ts';
import type { Dated, Spread } from './results.ts';

/** How all is measured. */
export interface Settings {
  readonly build: Build;
  readonly python: string;
  readonly threads: number;
  readonly rounds: number;
  readonly turns: number;
  /** The folder of models. */
  readonly models: string;
  /** In place of the works' own. */
  readonly batch: number | undefined;
}

/** Percent of the processor's time that others may take. */
const BUSY = 10;

/** One table of the report. */
export interface Section {
  readonly title: string;
  readonly head: readonly string[];
  /** Whether it is of plain forms, which `--lower off` asks for. */
  readonly isPlain: boolean;
  /** Of its rows. */
  readonly names: readonly string[];
  /** Keeps what it measures. */
  measure(name: string): Promise<void>;
  /** The cells of a row that is kept. */
  cells(name: string): readonly string[] | undefined;
  /** Of a row that is kept: the limits that it misses, in words. */
  missed(name: string): readonly string[];
}

/** A section whose rows are kept in a record. */
export function section<Row>(
  {
    rows,
    ...section
  }: Pick<Section, 'title' | 'head' | 'names'> & {
    readonly isPlain?: boolean;
    readonly rows: Record<string, Row & Dated>;
  },
  of: {
    measure(name: string): Promise<Row>;
    cells(row: Row, name: string): readonly string[];
    missed(row: Row, name: string): readonly string[];
  },
): Section {
  return {
    isPlain: false,
    ...section,
    head: [...section.head, 'measured'],
    measure: async (name) => {
      const busy = await busyPercent();
      if (busy > BUSY) console.error(`${name}: other programs take ${busy} % of the processor's time`);
      const date = new Date().toISOString().slice(0, 10);
      rows[name] = { ...(await of.measure(name)), date, busy };
    },
    cells: (name) => rows[name] && [...of.cells(rows[name], name), dated(rows[name])],
    missed: (name) => (rows[name] ? of.missed(rows[name], name) : []),
  };
}

function dated({ date, busy }: Dated): string {
  return busy > BUSY ? `${date}, **beside others, ${busy} %**` : date;
}

function rowsOf({ names, cells }: Section): (readonly string[])[] {
  return names.flatMap((name) => {
    const row = cells(name);
    return row ? [row] : [];
  });
}

/** Empty where nothing of it was measured. */
export function markdownOf(section: Section): string {
  const rows = rowsOf(section);
  const lines = [section.head, section.head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return rows.length === 0 ? '' : `#### ${section.title}\n\n${lines.join('\n')}`;
}

export function printSection(section: Section, names: ReadonlySet<string>): void {
  const table = new Table({ head: [...section.head], style: { head: [], border: [] } });
  table.push(...rowsOf({ ...section, names: section.names.filter((name) => names.has(name)) }).map((row) => [...row]));
  if (table.length > 0) console.log(`${section.title}\n${table.toString()}`);
}

export function shown({ median, low, high }: Spread): string {
  return `${median} (${low} to ${high})`;
}

/** Bold where it is above the limit. */
export function marked(value: number, limit: number): string {
  return value > limit ? `**${value}**` : `${value}`;
}
