/** A share as a percentage: `91.5`. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || Number.isNaN(share) ? '–' : (100 * share).toFixed(1);
}

/** The difference of two shares in points, with sign: `+2.5`. */
export function points(share: number | null | undefined, before: number | null | undefined): string {
  if (share === null || share === undefined || before === null || before === undefined) return '–';
  const difference = (100 * (share - before)).toFixed(1);
  if (Number(difference) === 0) return '±0.0';
  return difference.startsWith('-') ? difference.replace('-', '−') : `+${difference}`;
}

/** Three significant digits; whole numbers with a thousands separator. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return count(value);
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

/** `12 345`, with thin spaces. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** `1 sample`, `2 samples` */
export function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
}
