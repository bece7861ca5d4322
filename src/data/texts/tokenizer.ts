import { readFileSync, statSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { LossgraftError } from '../../errors.ts';
import { MAX_TEXT_CHARACTERS, MAX_TOKENIZER_BYTES } from '../limits.ts';
import type { TextOptions } from '../options.ts';

/** A text as a model reads it, `maxLength` tokens. */
export interface Tokens {
  readonly ids: Int32Array<ArrayBuffer>;
  /** 1 for tokens of the text, 0 for padding. */
  readonly mask: Uint8Array;
  readonly types: Uint8Array;
}

/** Turns texts into tokens. */
export interface TextEncoder {
  readonly maxLength: number;
  /** How texts are cut and filled up, for notes. */
  readonly how: string;
  /** @throws LossgraftError `text-too-long`, `unknown-token` */
  encode(text: string, where: string): Tokens;
  /** About the text that these tokens stand for. */
  decode(ids: readonly number[]): string;
}

/**
 * Loads a tokenizer.json. Texts are cut, and filled up, at the sides that the file says: on the right unless it says otherwise.
 *
 * @throws LossgraftError `bad-tokenizer` for files that are none, or have parts that are not known; `max-length`
 */
export function loadTokenizer({ tokenizer: path, maxLength }: TextOptions): TextEncoder {
  if (path === undefined)
    throw refused(
      'bad-tokenizer',
      'option tokenizer',
      'a tokenizer.json for texts',
      'none',
      'Name it with --tokenizer',
    );
  const config = readConfig(path);
  const tokenizer = construct(path, config);
  const truncation = isRecord(config.truncation) ? config.truncation : {};
  const padding = isRecord(config.padding) ? config.padding : {};
  const length = checkLength(maxLength ?? truncation.max_length);
  const pad = padOf(path, tokenizer, padding);
  const cutLeft = isLeft(path, truncation.direction);
  const padLeft = isLeft(path, padding.direction);
  return {
    maxLength: length,
    how: `cut on the ${cutLeft ? 'left' : 'right'} and padded on the ${padLeft ? 'left' : 'right'} with ${pad.id} to ${length} tokens`,
    decode: (tokens) => tokenizer.decode([...tokens], { skip_special_tokens: true }),
    encode: (text, where) => {
      if (text.length > MAX_TEXT_CHARACTERS) {
        throw refused(
          'text-too-long',
          where,
          `at most ${MAX_TEXT_CHARACTERS} characters`,
          `${text.length}`,
          'Cut the text',
        );
      }
      return fill(cut(tokenizer, text, length, cutLeft, where), length, padLeft, pad);
    },
  };
}

interface Cut {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** Special tokens stay: they are what the post-processor puts around the text. */
function cut(tokenizer: Tokenizer, text: string, length: number, fromLeft: boolean, where: string): Cut {
  const whole = encode(tokenizer, text, true, where);
  if (whole.ids.length <= length) return whole;
  const bare = encode(tokenizer, text, false, where);
  const special = whole.ids.length - bare.ids.length;
  const before = prefixLength(whole.ids, bare.ids);
  const kept = length - special;
  if (before < 0 || kept < 0) {
    throw refused(
      'max-length',
      where,
      `at least ${special} tokens, which the tokenizer puts around a text`,
      `${length}`,
      'Give a larger --max-length',
    );
  }
  const start = before + (fromLeft ? bare.ids.length - kept : 0);
  const end = before + bare.ids.length;
  const pick = (values: readonly number[]): number[] => [
    ...values.slice(0, before),
    ...values.slice(start, start + kept),
    ...values.slice(end),
  ];
  return { ids: pick(whole.ids), types: pick(whole.types) };
}

/** How many tokens stand before those of the text; −1 where they are not found. */
function prefixLength(whole: readonly number[], bare: readonly number[]): number {
  for (let before = 0; before <= whole.length - bare.length; before++) {
    if (bare.every((id, i) => whole[before + i] === id)) return before;
  }
  return -1;
}

function encode(tokenizer: Tokenizer, text: string, add_special_tokens: boolean, where: string): Cut {
  const encoding: Encoded = tokenizer.encode(text, { add_special_tokens, return_token_type_ids: true });
  const { ids, tokens, token_type_ids: types = ids.map(() => 0) } = encoding;
  const unknown = ids.findIndex((id) => !Number.isSafeInteger(id));
  if (unknown < 0) return { ids, types };
  throw refused(
    'unknown-token',
    where,
    'tokens of the vocabulary',
    JSON.stringify(tokens[unknown] ?? ''),
    'The tokenizer has no token for what is unknown; leave the text out',
  );
}

/** The package's own declaration of it leads nowhere. */
interface Encoded {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly token_type_ids?: readonly number[];
}

interface Pad {
  readonly id: number;
  readonly type: number;
}

function fill({ ids, types }: Cut, length: number, fromLeft: boolean, pad: Pad): Tokens {
  const out = {
    ids: new Int32Array(length).fill(pad.id),
    mask: new Uint8Array(length),
    types: new Uint8Array(length).fill(pad.type),
  };
  const start = fromLeft ? length - ids.length : 0;
  out.ids.set(ids, start);
  out.types.set(types, start);
  out.mask.fill(1, start, start + ids.length);
  return out;
}

const PAD_NAMES = ['[PAD]', '<pad>', '<|pad|>'];

/** The padding that the file names, or a token with one of the usual names. */
function padOf(path: string, tokenizer: Tokenizer, padding: Readonly<Record<string, unknown>>): Pad {
  const { pad_id: id, pad_type_id: type = 0 } = padding;
  if (typeof id === 'number' && typeof type === 'number') return { id, type };
  const found = PAD_NAMES.map((name) => tokenizer.token_to_id(name)).find((known) => known !== undefined);
  if (found !== undefined) return { id: found, type: 0 };
  throw refused(
    'bad-tokenizer',
    path,
    `padding, or a token among ${PAD_NAMES.join(', ')}`,
    'neither',
    'Set it in Python: tokenizer.enable_padding(pad_id=…, pad_token=…)',
  );
}

function isLeft(path: string, direction: unknown): boolean {
  if (direction === undefined || direction === 'Right' || direction === 'Left') return direction === 'Left';
  throw refused(
    'bad-tokenizer',
    path,
    'a direction Left or Right',
    JSON.stringify(direction),
    'Save the tokenizer again',
  );
}

function checkLength(length: unknown): number {
  if (typeof length === 'number' && Number.isSafeInteger(length) && length > 0 && length <= MAX_TEXT_CHARACTERS)
    return length;
  throw refused(
    'max-length',
    'option max-length',
    'a number of tokens',
    length === undefined ? 'none' : String(length),
    'Give --max-length, such as 128',
  );
}

function construct(path: string, config: object): Tokenizer {
  try {
    return new Tokenizer(config, {});
  } catch (cause) {
    throw refused(
      'bad-tokenizer',
      path,
      'a tokenizer of parts that are known',
      message(cause),
      'Save it again with a current library',
    );
  }
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    const { size } = statSync(path);
    if (size > MAX_TOKENIZER_BYTES) throw new Error(`${size} bytes, above the bound of ${MAX_TOKENIZER_BYTES}`);
    const config: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(config)) return config;
    throw new Error('JSON of another kind');
  } catch (cause) {
    throw refused(
      'bad-tokenizer',
      path,
      'a tokenizer.json',
      message(cause),
      'Save it in Python: tokenizer.save("tokenizer.json")',
    );
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function message(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 200);
}

function refused(code: string, where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
