import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { loadTokenizer } from '../../src/data/texts/tokenizer.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

interface Case {
  readonly config: Readonly<Record<string, unknown>>;
  readonly length: number | null;
  readonly width: number;
  readonly pad: readonly ['left' | 'right', number, number];
  readonly ids: readonly (readonly number[])[];
  readonly types: readonly (readonly number[])[] | null;
}

interface Parts {
  readonly texts: readonly (string | { readonly repeat: readonly [string, number] })[];
  readonly cases: Readonly<Record<string, Case>>;
}

const file = join(ROOT, 'fixtures/data/tokenizer-parts.json.gz');
const parts: Parts = JSON.parse(gunzipSync(readFileSync(file)).toString('utf8'));
const texts = parts.texts.map((text) => (typeof text === 'string' ? text : text.repeat[0].repeat(text.repeat[1])));

function saved(config: unknown): string {
  const path = join(temporaryFolder(), 'tokenizer.json');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function padded(row: readonly number[], width: number, side: 'left' | 'right', value: number): number[] {
  const rest = Array.from({ length: width - row.length }, () => value);
  return side === 'left' ? [...rest, ...row] : [...row, ...rest];
}

describe('the tokens of the Rust library, with every part', () => {
  it.each(Object.keys(parts.cases))('%s', async (name) => {
    const { config, length, width, pad, ids, types } = parts.cases[name] ?? expect.fail(name);
    const options = { tokenizer: saved(config), ...(length === null ? {} : { maxLength: length }) };
    const encoder = await loadTokenizer(options);
    const block = await encoder.encode(texts, String);
    encoder.rest();
    const [side, id, type] = pad;
    // A file that pads to the longest of a batch leaves the width open: ours is then that of the longest there may be.
    expect(encoder.width).toBeGreaterThanOrEqual(width);
    const rows = (values: Uint32Array | Uint8Array): number[][] =>
      texts.map((_, i) => Array.from(values.subarray(i * encoder.width, (i + 1) * encoder.width)));
    expect(rows(block.ids)).toEqual(ids.map((row) => padded(row, encoder.width, side, id)));
    const ones = ids.map((row) => row.map(() => 1));
    expect(rows(block.mask)).toEqual(ones.map((row) => padded(row, encoder.width, side, 0)));
    const kinds = types ?? ids.map((row) => row.map(() => 0));
    expect(rows(block.types)).toEqual(kinds.map((row) => padded(row, encoder.width, side, type)));
  });

  it('through a CSV', async () => {
    const { config, ids } = parts.cases['nfd-strip'] ?? expect.fail('nfd-strip');
    const csv = join(temporaryFolder(), 'texts.csv');
    writeFileSync(csv, `text,label\n${texts.map((text) => `"${text.replaceAll('"', '""')}",0\n`).join('')}`);
    const data = await openData(csv, { tokenizer: saved(config), maxLength: 24 });
    const read = await data.columns.get('input_ids')?.read(0, texts.length);
    const wanted = ids.flatMap((row) => padded(row, 24, 'right', 0));
    expect(read?.data).toEqual(BigInt64Array.from(wanted, BigInt));
    expect(await data.showRow?.(0)).toBe('the cat sat on the mat .');
    data.close();
  });
});

describe('what the library cannot do', () => {
  const { config } = parts.cases.whitespace ?? expect.fail('whitespace');
  const of = (change: object): string => saved({ ...config, ...change });

  it.each([
    ['an unknown part', { pre_tokenizer: { type: 'Foo' } }, /PreTokenizer.*its pre_tokenizer is \{"type":"Foo"\}/],
    ['chance', { model: { type: 'BPE', dropout: 0.1, vocab: { a: 0 }, merges: [] } }, /model\.dropout\] .* found 0\.1/],
    ['a charsmap that is none', { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }, /charsmap/],
    [
      'a pattern that is none',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '((' }, behavior: 'Removed', invert: false } },
      /end pattern/,
    ],
  ])('%s is refused when it is loaded', async (_name, change, shown) => {
    await expect(loadTokenizer({ tokenizer: of(change), maxLength: 4 })).rejects.toMatchObject({
      code: 'bad-tokenizer',
      message: expect.stringMatching(shown),
    });
  });

  it('a strategy for pairs, where no length is given', async () => {
    const truncation = { strategy: 'OnlySecond', max_length: 8, stride: 0, direction: 'Right' };
    const tokenizer = of({ truncation });
    await expect(loadTokenizer({ tokenizer })).rejects.toThrow(/OnlySecond/);
    const encoder = await loadTokenizer({ tokenizer, maxLength: 8 });
    expect(encoder.width).toBe(8);
    encoder.rest();
  });

  it.each([
    [
      'no token for what is unknown',
      { model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: '?' } },
      'b',
      /Missing \[UNK\]/,
    ],
    [
      'a pattern that takes too long, which ends its process',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Removed', invert: false } },
      `${'a'.repeat(40)}b`,
      /retry-limit/,
    ],
  ])('%s is an error of the text', async (_name, change, text, shown) => {
    const csv = join(temporaryFolder(), 'bad.csv');
    writeFileSync(csv, `text,label\na,0\na,0\n${text},1\na,0\n`);
    const options = {
      tokenizer: of({
        ...change,
        padding: {
          strategy: 'BatchLongest',
          pad_id: 0,
          pad_token: '',
          pad_type_id: 0,
          direction: 'Right',
          pad_to_multiple_of: null,
        },
      }),
      maxLength: 4,
    };
    await expect(openData(csv, options)).rejects.toMatchObject({
      code: 'untokenized',
      message: expect.stringMatching(new RegExp(`row 2 \\(line 4\\).*${shown.source}`)),
    });
  });
});
