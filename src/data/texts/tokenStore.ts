import { LossgraftError } from '../../errors.ts';
import type { Tensor } from '../../tensor.ts';
import type { Column } from '../dataset.ts';
import { MAX_TEXT_CHARACTERS } from '../limits.ts';
import type { TextOptions } from '../options.ts';
import { type RowStore, rowStore } from '../rowStore.ts';
import { loadTokenizer } from './tokenizer.ts';

/** The tokens of texts, in memory or in temporary files. */
export interface TokenStore {
  readonly size: number;
  /** How texts are truncated and padded. */
  readonly how: string;
  /** @throws LossgraftError for this text, or one added earlier. */
  add(text: string, where: string): Promise<void>;
  /** After the last text. */
  finish(): Promise<void>;
  columns(): [string, Column][];
  /** The text of a row, decoded from its tokens. */
  show(row: number): Promise<string>;
  close(): void;
}

/** The names of the token inputs: those of Hugging Face's models, or those in `tokenInputs`. */
function tokenNames({ tokenInputs = {} }: TextOptions): readonly [string, string, string] {
  const own = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
  const stray = Object.keys(tokenInputs).find((name) => !own.some((known) => known === name));
  const [ids, mask, types] = own.map((name) => tokenInputs[name] ?? name);
  if (
    ids !== undefined &&
    mask !== undefined &&
    types !== undefined &&
    stray === undefined &&
    new Set([ids, mask, types]).size === 3
  )
    return [ids, mask, types];
  throw new LossgraftError({
    code: 'token-inputs',
    where: 'option tokenInputs',
    expected: `other names for ${own.join(', ')}, each its own`,
    found: stray ?? Object.values(tokenInputs).join(', '),
    hint: 'Correct it: input_ids=ids,attention_mask=mask',
  });
}

interface Placed {
  readonly text: string;
  readonly where: string;
}

/** Texts tokenized at a time. */
const TEXTS_AT_ONCE = 1024;

/** Passes texts on in batches; smaller ones if texts are long, or have many tokens. */
function inBatches(width: number, work: (batch: readonly Placed[]) => Promise<void>) {
  let waiting: Placed[] = [];
  let characters = 0;
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    characters = 0;
    if (batch.length > 0) await work(batch);
  };
  return {
    add: async (placed: Placed): Promise<void> => {
      waiting.push(placed);
      characters += Math.max(placed.text.length, width);
      if (waiting.length === TEXTS_AT_ONCE || characters >= MAX_TEXT_CHARACTERS) await flush();
    },
    flush,
  };
}

/** A store for the texts of `name`. @throws LossgraftError as the tokenizer does, and `token-inputs`. */
export async function tokenStore(name: string, options: TextOptions): Promise<TokenStore> {
  const [idsName, maskName, typesName] = tokenNames(options);
  const encoder = await loadTokenizer(options);
  const { width, spare } = encoder;
  const ids = rowStore(name);
  const masks = rowStore(name);
  const types = rowStore(name);
  let size = 0;
  let longest = 1;
  const column = (read: Read): Column =>
    spare === undefined
      ? tokenColumn(name, [size, width], read)
      : tokenColumn(name, [size, longest], within(read, width, longest, spare));
  const batches = inBatches(width, async (batch) => {
    const block = await encoder.encode(
      batch.map(({ text }) => text),
      (i) => batch[i]?.where ?? name,
    );
    ids.append(new Uint8Array(block.ids.buffer, block.ids.byteOffset, block.ids.byteLength));
    masks.append(block.mask);
    types.append(block.types);
    for (let i = 0; i < batch.length; i++)
      longest = Math.max(longest, sumOf(block.mask.subarray(i * width, (i + 1) * width)));
  });
  return {
    get how() {
      return spare === undefined || longest === width ? encoder.how : `${encoder.how} at most, ${longest} here`;
    },
    get size() {
      return size;
    },
    add: async (text, where) => {
      if (text.length > MAX_TEXT_CHARACTERS) throw tooLong(where, text.length);
      size++;
      await batches.add({ text, where });
    },
    finish: async () => {
      await batches.flush();
      encoder.rest();
    },
    columns: () => [
      [idsName, column(readWords(ids))],
      [maskName, column(readBytes(masks))],
      [typesName, column(readBytes(types))],
    ],
    show: (row) => {
      const words = readWords(ids)(width * row, width);
      const isText = readBytes(masks)(width * row, width);
      return encoder.decode([...words].filter((_, i) => isText[i] === 1));
    },
    close: () => {
      encoder.rest();
      for (const store of [ids, masks, types]) store.close();
    },
  };
}

/** The elements from `start` on. */
type Read = (start: number, count: number) => Uint32Array | Uint8Array;

function sumOf(mask: Uint8Array): number {
  return mask.reduce((sum, one) => sum + one, 0);
}

/** Rows without the padding that none of them needs. */
function within(read: Read, width: number, kept: number, spare: 'left' | 'right'): Read {
  const skipped = spare === 'left' ? width - kept : 0;
  return (start, count) => {
    const rows = count / kept;
    const wide = read((start / kept) * width, rows * width);
    const narrow = wide.slice(0, count);
    for (let i = 0; i < rows; i++) narrow.set(wide.subarray(i * width + skipped, i * width + skipped + kept), i * kept);
    return narrow;
  };
}

function readWords(store: RowStore): Read {
  return (start, count) => {
    const words = new Uint32Array(count);
    store.readInto(new Uint8Array(words.buffer), 4 * start);
    return words;
  };
}

function readBytes(store: RowStore): Read {
  return (start, count) => {
    const bytes = new Uint8Array(count);
    store.readInto(bytes, start);
    return bytes;
  };
}

function tokenColumn(name: string, dims: readonly [number, number], elements: Read): Column {
  const [size, width] = dims;
  const read = async (start: number, count: number): Promise<Tensor> => {
    if (start < 0 || count < 0 || start + count > size) throw outside(name, size, start, count);
    const data = BigInt64Array.from(elements(start * width, count * width), BigInt);
    return { dtype: 'int64', dims: [count, width], data };
  };
  return { dtype: 'int64', dims, read };
}

function tooLong(where: string, found: number): LossgraftError {
  return new LossgraftError({
    code: 'text-too-long',
    where,
    expected: `at most ${MAX_TEXT_CHARACTERS} characters`,
    found: `${found}`,
    hint: 'Cut the text',
  });
}

function outside(where: string, size: number, start: number, count: number): LossgraftError {
  return new LossgraftError({
    code: 'rows-out-of-range',
    where,
    expected: `rows among 0…${size - 1}`,
    found: `${count} rows from ${start} on`,
    hint: 'Read within the data',
  });
}
