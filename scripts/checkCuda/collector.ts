import { renameSync, writeFileSync } from 'node:fs';
import type { Found, ResultRow } from './result.ts';

/** What one item came to: a row of the table, and what is wrong with it. */
export interface Item {
  readonly row?: ResultRow;
  readonly failure?: string;
  readonly note?: string;
}

/** Gathers what a part finds, and writes it after every item: who kills the part reads what is there. */
export class Collector {
  readonly #path: string;
  readonly #until: number;
  #found: Found;

  /** @param until when no further item is begun, as `Date.now()` tells it. */
  constructor(path: string, total: number, until: number) {
    this.#path = path;
    this.#until = until;
    this.#found = { done: 0, total, failures: [], rows: [], notes: [] };
    this.#write();
  }

  /** Looks at the items in order while there is time; an error is what is wrong with the item. */
  async each<T>(items: readonly T[], nameOf: (item: T) => string, look: (item: T) => Promise<Item>): Promise<void> {
    for (const item of items) {
      if (Date.now() >= this.#until) return;
      const seen = await look(item).catch((error: unknown) => ({ failure: messageOf(error) }) as Item);
      this.#add(nameOf(item), seen);
    }
  }

  #add(name: string, { row, failure, note }: Item): void {
    const { done, failures, rows, notes } = this.#found;
    this.#found = {
      ...this.#found,
      done: done + 1,
      failures: failure === undefined ? failures : [...failures, `${name}: ${failure}`],
      rows: row === undefined ? rows : [...rows, row],
      notes: note === undefined ? notes : [...notes, note],
    };
    this.#write();
  }

  #write(): void {
    writeFileSync(`${this.#path}.tmp`, JSON.stringify(this.#found));
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 500);
}

/** Every `count`-th item from `index` on; a short run sees items of all kinds, since neighbours are alike. */
export function shareOf<T>(
  items: readonly T[],
  { index, count }: { readonly index: number; readonly count: number },
): T[] {
  const mixed = items.map((item, i) => ({ item, at: (i * 0.6180339887498949) % 1 })).sort((a, b) => a.at - b.at);
  return mixed.filter((_, i) => i % count === index).map(({ item }) => item);
}
