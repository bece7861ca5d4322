/** The content of a literal: texts and numbers, in a list or by key. */
export type Literal = readonly Scalar[] | ReadonlyMap<Scalar, Scalar>;
type Scalar = string | number;

/** A text in quotes, a whole number, a mark, or space. */
const TOKEN = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+)|([[\](){},:])|\s+/suy;

/**
 * A flat list or dictionary of texts and whole numbers, as JSON or Python's `repr` writes it: `{0: 'cat', 1: "it's"}`. Nothing is evaluated.
 *
 * @returns `undefined` for anything else.
 */
export function parseLiteral(text: string): Literal | undefined {
  const tokens = tokensOf(text);
  const [open, ...rest] = tokens ?? [];
  const close = rest.pop();
  if (open?.mark === '{' && close?.mark === '}') return mapOf(rest);
  const isList = (open?.mark === '[' && close?.mark === ']') || (open?.mark === '(' && close?.mark === ')');
  return isList ? listOf(rest) : undefined;
}

type Token = { readonly mark: string } | { readonly mark?: undefined; readonly value: Scalar };

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return undefined;
    const [, single, double, number, mark] = match;
    const quoted = single ?? double;
    if (quoted !== undefined) tokens.push({ value: unescaped(quoted) });
    else if (number !== undefined) tokens.push({ value: Number(number) });
    else if (mark !== undefined) tokens.push({ mark });
  }
  return tokens;
}

const LETTERS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** Python's escapes, which include JSON's. A pair of `\u` surrogates combines by itself. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/gsu, (all, x, u, long, letter) => {
    const code = Number.parseInt(x ?? u ?? long ?? '', 16);
    if (letter !== undefined) return LETTERS[letter] ?? letter;
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

/** The items between commas; a trailing comma is allowed. */
function itemsOf(tokens: readonly Token[]): Token[][] {
  const items: Token[][] = [[]];
  for (const token of tokens) {
    if (token.mark === ',') items.push([]);
    else items.at(-1)?.push(token);
  }
  if (items.at(-1)?.length === 0) items.pop();
  return items;
}

function listOf(tokens: readonly Token[]): Scalar[] | undefined {
  const values = itemsOf(tokens).map(([only, ...more]) =>
    only !== undefined && only.mark === undefined && more.length === 0 ? only.value : undefined,
  );
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? known : undefined;
}

function mapOf(tokens: readonly Token[]): Map<Scalar, Scalar> | undefined {
  const entries = itemsOf(tokens).map(([key, colon, value, ...more]) =>
    key?.mark === undefined && value?.mark === undefined && colon?.mark === ':' && more.length === 0
      ? ([key?.value, value?.value] as const)
      : undefined,
  );
  const map = new Map<Scalar, Scalar>();
  for (const entry of entries) {
    const [key, value] = entry ?? [];
    if (key === undefined || value === undefined) return undefined;
    map.set(key, value);
  }
  return map;
}
