import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError, option } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';
import { isFile } from '../../modelFolder.ts';
import { MAX_CONFIG_BYTES } from '../limits.ts';

/** What a Hugging Face folder says about texts beside its tokenizer.json, and transformers follows. */
export interface TokenizerFolder {
  /** The most tokens that the model accepts. */
  readonly maxLength: number | undefined;
  readonly cut: 'left' | 'right' | undefined;
  readonly pad: 'left' | 'right' | undefined;
  readonly padToken: string | undefined;
}

/** transformers writes 1e30 if it knows none. */
const NO_LENGTH = 1e9;

/**
 * Reads tokenizer_config.json and config.json, if they exist.
 *
 * @throws LossgraftError `bad-tokenizer` for files that are not JSON objects, and invalid values.
 */
export function readTokenizerFolder(folder: string): TokenizerFolder {
  const path = join(folder, 'tokenizer_config.json');
  const config = readObject(path);
  const { model_max_length: stated } = config;
  const own = typeof stated === 'number' && stated < NO_LENGTH ? stated : undefined;
  const lengths = [own, positionsOf(readObject(join(folder, 'config.json')))].filter((length) => length !== undefined);
  return {
    maxLength: lengths.length === 0 ? undefined : Math.min(...lengths),
    cut: sideOf(path, 'truncation_side', config.truncation_side),
    pad: sideOf(path, 'padding_side', config.padding_side),
    padToken: tokenOf(config.pad_token),
  };
}

/** Their first position is the one after the padding token's id. */
const AFTER_PADDING =
  /^(roberta|roberta-prelayernorm|xlm-roberta|xlm-roberta-xl|camembert|xmod|mpnet|longformer|data2vec-text|ibert|esm|luke)$/;

function positionsOf(config: Readonly<Record<string, unknown>>): number | undefined {
  const { max_position_embeddings: most, n_positions: positions, model_type: type, pad_token_id: pad } = config;
  const all = typeof most === 'number' ? most : positions;
  if (typeof all !== 'number' || all < 1) return undefined;
  return AFTER_PADDING.test(String(type)) ? all - (typeof pad === 'number' ? pad : 1) - 1 : all;
}

/** A token is a text, or an object that describes it. */
function tokenOf(token: unknown): string | undefined {
  const text = isRecord(token) ? token.content : token;
  return typeof text === 'string' ? text : undefined;
}

function sideOf(path: string, key: string, side: unknown): 'left' | 'right' | undefined {
  if (side === undefined || side === null) return undefined;
  if (side === 'left' || side === 'right') return side;
  throw refused(`${path}, ${key}`, 'left or right', JSON.stringify(side));
}

function readObject(path: string): Readonly<Record<string, unknown>> {
  if (!isFile(path)) return {};
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_BYTES) throw new Error(`${size} bytes, above the limit of ${MAX_CONFIG_BYTES}`);
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(value)) return value;
    throw new Error('JSON of another kind');
  } catch (cause) {
    throw refused(path, 'a JSON object', cause instanceof Error ? cause.message.slice(0, 200) : String(cause));
  }
}

function refused(where: string, expected: string, found: string): LossgraftError {
  const hint = `Correct it, or name the tokenizer.json itself with ${option('tokenizer')}`;
  return new LossgraftError({ code: 'bad-tokenizer', where, expected, found, hint });
}
