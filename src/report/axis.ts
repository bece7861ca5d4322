/** A logarithmic axis: ticks at powers of ten, and at 2 and 5 between where there are few. */
export function logAxis(values: readonly number[]): {
  readonly type: 'log';
  readonly ticks: number[];
  readonly tickFormat: (value: number) => string;
} {
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const step = Math.ceil((high - low + 1) / MAX_TICKS);
  const powers = Array.from({ length: high - low + 1 }, (_, i) => low + i).filter(
    (power) => (power - low) % step === 0,
  );
  const factors = powers.length > MAX_TICKS / 2 ? [1] : [1, 2, 5];
  const ticks = powers.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)));
  return { type: 'log', ticks, tickFormat: tick };
}

const MAX_TICKS = 7;
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** `0.05`, `20`, `10k`, `10⁻⁵` */
export function tick(value: number): string {
  if (value === 0) return '0';
  const power = Math.log10(Math.abs(value));
  if (power >= 3 && power < 6) return `${Number((value / 1000).toPrecision(3))}k`.replace('-', '−');
  if (power > -4 && power < 6) return String(Number(value.toPrecision(3))).replace('-', '−');
  const [digits = '', exponent = ''] = value.toExponential(1).split('e');
  const raised = [...exponent.replace('+', '')]
    .map((c) => (c === '-' ? '⁻' : (SUPERSCRIPTS[Number(c)] ?? '')))
    .join('');
  return `${digits === '1.0' ? '' : `${digits}·`}10${raised}`.replace('-', '−');
}

/** `−5`, `0`, `+5` */
export function signedTick(value: number): string {
  return value > 0 ? `+${tick(value)}` : tick(value);
}
