const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Is it a decimal number and nothing else? (`Number` also takes an empty text, hexadecimals and Infinity.) */
export function isNumeric(text: string): boolean {
  return DECIMAL.test(text.trim());
}

/** Is it one of the usual markers of a missing value? */
export function isMissing(text: string): boolean {
  return ['', 'na', 'n/a', 'nan', 'null', 'none', '?', '-'].includes(text.trim().toLowerCase());
}
