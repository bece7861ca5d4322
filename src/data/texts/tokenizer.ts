import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LossgraftError, option } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';
import { fileIn } from '../fileIn.ts';
import { MAX_TEXT_CHARACTERS, MAX_TOKENIZER_BYTES } from '../limits.ts';
import type { TextOptions } from '../options.ts';
import { readTokenizerFolder, type TokenizerFolder } from './tokenizerFolder.ts';
import {
  type Block,
  type Opened,
  type TokenizerPlan,
  type TokenizerProcess,
  tokenizerProcess,
} from './tokenizerProcess.ts';

/** Turns texts into tokens. */
export interface TextEncoder {
  /** Tokens of a text, with padding. */
  readonly width: number;
  /** The padding side, if texts are padded only to the longest one; `undefined` if the width is requested. */
  readonly spare: 'left' | 'right' | undefined;
  /** How texts are truncated and padded, for notes. */
  readonly how: string;
  /** @throws LossgraftError `untokenized` with the place of a text that the tokenizer has no tokens for. */
  encode(texts: readonly string[], placeOf: (index: number) => string): Promise<Block>;
  /** Approximately the text of these tokens. */
  decode(ids: readonly number[]): Promise<string>;
  /** Frees the tokenizer's memory; it is loaded again on demand. */
  rest(): void;
}

/**
 * Loads a tokenizer.json into Hugging Face's own Rust library. Texts are truncated and padded at the sides that the file gives, on the
 * right by default. If a folder is given, its tokenizer_config.json and config.json take precedence.
 *
 * @throws LossgraftError `bad-tokenizer` for other files, or unknown parts; `max-length`
 */
export async function loadTokenizer({ tokenizer, maxLength }: TextOptions): Promise<TextEncoder> {
  if (tokenizer === undefined)
    throw badTokenizer('option tokenizer', 'a tokenizer.json for texts', 'none', `Name it with ${option('tokenizer')}`);
  const path = fileIn(tokenizer, TOKENIZER);
  const config = await readConfig(path);
  // A file given by its own path counts alone.
  const folder = path === tokenizer ? undefined : readTokenizerFolder(dirname(path));
  const plan = planOf(path, config, maxLength, folder);
  const library = tokenizerProcess(plan);
  const padId = await padIdOf(path, config, plan, library);
  const encode = async (texts: readonly string[], placeOf: (index: number) => string): Promise<Block> => {
    try {
      return await library.encode(texts);
    } catch (cause) {
      if (texts.length === 1) throw untokenized(placeOf(0), cause);
      for (const [i, text] of texts.entries()) await encode([text], () => placeOf(i));
      throw untokenized(`${placeOf(0)} and the ${texts.length - 1} after it`, cause);
    }
  };
  return {
    width: plan.width,
    spare: maxLength === undefined && folder?.maxLength !== undefined ? plan.pad.side : undefined,
    how: `cut on the ${plan.cut} and padded on the ${plan.pad.side} with ${padId} to ${plan.width} tokens`,
    encode,
    decode: library.decode,
    rest: library.stop,
  };
}

/** In a Hugging Face model folder. */
const TOKENIZER = {
  name: 'tokenizer.json',
  code: 'bad-tokenizer' as const,
  hint: (folder: string) =>
    `Write it in Python: transformers.AutoTokenizer.from_pretrained("${folder}").save_pretrained("${folder}")`,
};

const PAD_NAMES = ['[PAD]', '<pad>', '<|pad|>'];

type Config = Readonly<Record<string, unknown>>;

function planOf(path: string, config: Config, asked: number | undefined, folder?: TokenizerFolder): TokenizerPlan {
  const maxLength = asked ?? folder?.maxLength;
  const truncation = isRecord(config.truncation) ? config.truncation : {};
  const padding = isRecord(config.padding) ? config.padding : {};
  const length = checkLength(maxLength ?? truncation.max_length);
  refuseChance(path, config);
  if (maxLength === undefined && truncation.strategy === 'OnlySecond')
    throw badTokenizer(
      path,
      'a truncation strategy for single texts',
      'OnlySecond',
      `Give ${option('maxLength')}, such as 128`,
    );
  const { pad_id: id, pad_type_id: type } = padding;
  return {
    json: JSON.stringify({ ...config, truncation: null, padding: null }),
    length,
    cut: folder?.cut ?? sideOf(path, truncation.direction),
    width: maxLength ?? paddedWidth(length, padding),
    pad: {
      id: typeof id === 'number' && folder?.padToken === undefined ? id : undefined,
      names: folder?.padToken === undefined ? PAD_NAMES : [folder.padToken],
      type: typeof type === 'number' ? type : 0,
      side: folder?.pad ?? sideOf(path, padding.direction),
    },
  };
}

/** BPE with dropout gives different tokens on every run. */
function refuseChance(path: string, { model }: Config): void {
  const dropout = isRecord(model) ? model.dropout : undefined;
  if (typeof dropout !== 'number' || dropout === 0) return;
  const hint = 'Set it to null in the file: it only serves to train tokenizers';
  throw badTokenizer(`${path}, model.dropout`, 'the same tokens in every run', `${dropout}`, hint);
}

/** A file that gives the length of texts also gives their padding. */
function paddedWidth(length: number, { strategy, pad_to_multiple_of: multiple }: Config): number {
  const fixed = isRecord(strategy) ? strategy.Fixed : undefined;
  const width = Math.max(length, typeof fixed === 'number' ? fixed : 0);
  return checkLength(typeof multiple === 'number' && multiple > 0 ? Math.ceil(width / multiple) * multiple : width);
}

/** Opens the library; its process ends if it refuses. */
async function padIdOf(path: string, config: Config, plan: TokenizerPlan, library: TokenizerProcess): Promise<number> {
  try {
    return checked(path, plan, await library.open());
  } catch (cause) {
    library.stop();
    throw cause instanceof LossgraftError ? cause : unknownParts(path, config, cause);
  }
}

/** @returns the id of the padding token */
function checked(path: string, { length }: TokenizerPlan, { special, padId }: Opened): number {
  if (padId === undefined)
    throw badTokenizer(
      path,
      `padding, or a token among ${PAD_NAMES.join(', ')}`,
      'neither',
      'Set it in Python: tokenizer.enable_padding(pad_id=…, pad_token=…)',
    );
  if (special <= length) return padId;
  throw badLength(
    path,
    `at least ${special} tokens, the special tokens around a text`,
    `${length}`,
    `Give a larger ${option('maxLength')}`,
  );
}

function sideOf(path: string, direction: unknown): 'left' | 'right' {
  if (direction === undefined || direction === 'Right') return 'right';
  if (direction === 'Left') return 'left';
  throw badTokenizer(path, 'the direction Left or Right', JSON.stringify(direction), 'Save the tokenizer again');
}

function checkLength(length: unknown): number {
  if (typeof length === 'number' && Number.isSafeInteger(length) && length > 0 && length <= MAX_TEXT_CHARACTERS)
    return length;
  throw badLength(
    'option maxLength',
    'a number of tokens',
    length === undefined ? 'none' : String(length),
    `Give ${option('maxLength')}, such as 128`,
  );
}

async function readConfig(path: string): Promise<Config> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TOKENIZER_BYTES) throw new Error(`${size} bytes, above the limit of ${MAX_TOKENIZER_BYTES}`);
    const config: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isRecord(config)) return config;
    throw new Error('JSON of another kind');
  } catch (cause) {
    throw badTokenizer(path, 'a tokenizer.json', message(cause), 'Save it in Python: tokenizer.save("tokenizer.json")');
  }
}

/** The parts of a tokenizer.json by the name of the library's type. */
const PARTS: Readonly<Record<string, string>> = {
  Normalizer: 'normalizer',
  PreTokenizer: 'pre_tokenizer',
  Model: 'model',
  PostProcessor: 'post_processor',
  Decoder: 'decoder',
};

/** The library reports the type that it could not read, not what it read. */
function unknownParts(path: string, config: Config, cause: unknown): LossgraftError {
  const said = message(cause);
  if (/native binding/.test(said)) {
    const hint = 'Texts cannot be tokenized on this machine; convert them to arrays on another one';
    return badTokenizer('package tokenizers', `its library for ${process.platform} ${process.arch}`, said, hint);
  }
  const part = PARTS[/untagged enum (\w+?)(?:Untagged|Wrapper|Helper)?\b/.exec(said)?.[1] ?? ''];
  const shown = part === undefined ? '' : `; its ${part} is ${JSON.stringify(config[part])?.slice(0, 120)}`;
  const hint = 'Save it again with a current version of the tokenizers library';
  return badTokenizer(path, 'a tokenizer made of known parts', `${said}${shown}`, hint);
}

function untokenized(where: string, cause: unknown): LossgraftError {
  const hint = 'Remove the text, or use a tokenizer that can read it';
  return new LossgraftError({
    code: 'untokenized',
    where,
    expected: 'a text that the tokenizer can read',
    found: `its error: ${message(cause)}`,
    hint,
    cause,
  });
}

function message(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 200);
}

function badTokenizer(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'bad-tokenizer', where, expected, found, hint });
}

function badLength(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'max-length', where, expected, found, hint });
}
