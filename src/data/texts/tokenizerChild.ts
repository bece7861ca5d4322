import type { Tokenizer } from 'tokenizers';
import type { Answer, Answers, Block, Opened, Request, TokenizerPlan } from './tokenizerProcess.ts';

/** The process that holds the tokenizer: the Rust library ends its process if a file or a text makes it panic. */
let tokenizer: Tokenizer | undefined;
let width = 0;

async function answer(request: Request): Promise<Answers[keyof Answers]> {
  if (request.kind === 'open') return open(request.plan);
  if (tokenizer === undefined) throw new Error('no tokenizer is open');
  return request.kind === 'encode' ? encode(tokenizer, request.texts) : tokenizer.decode([...request.ids], true);
}

async function open({ json, length, cut, pad, ...plan }: TokenizerPlan): Promise<Opened> {
  const library = await import('tokenizers');
  tokenizer = library.Tokenizer.fromString(json);
  width = plan.width;
  const [whole, bare] = await Promise.all([
    tokenizer.encode(''),
    tokenizer.encode('', null, { addSpecialTokens: false }),
  ]);
  const special = whole.getLength() - bare.getLength();
  const named = pad.names.map((name) => tokenizer?.tokenToId(name) ?? null).find((id) => id !== null);
  const padId = pad.id ?? named;
  // A length below the number of special tokens would wrap around.
  if (padId !== undefined && special <= length) {
    tokenizer.setTruncation(length, { direction: cut });
    tokenizer.setPadding({ maxLength: width, direction: pad.side, padId, padTypeId: pad.type });
  }
  return { special, padId };
}

async function encode(tokenizer: Tokenizer, texts: readonly string[]): Promise<Block> {
  const encodings = await tokenizer.encodeBatch([...texts]);
  const size = texts.length * width;
  const block = { ids: new Uint32Array(size), mask: new Uint8Array(size), types: new Uint8Array(size) };
  for (const [i, encoding] of encodings.entries()) {
    const types = encoding.getTypeIds();
    const wide = types.find((type) => type > 255);
    if (wide !== undefined) throw new Error(`token type ${wide}, above 255`);
    block.ids.set(encoding.getIds(), i * width);
    block.mask.set(encoding.getAttentionMask(), i * width);
    block.types.set(types, i * width);
  }
  return block;
}

process.on('message', async (request: Request) => {
  const reply = (message: Answer<keyof Answers>): boolean | undefined => process.send?.(message);
  try {
    reply({ value: await answer(request) });
  } catch (error) {
    reply({ error: error instanceof Error ? error.message : String(error) });
  }
});
// Without a parent process there is nothing left to do.
process.on('disconnect', () => process.exit());
