/** A logarithmic axis that ends at ticks: powers of ten, with 2 and 5 in between if those are few. */
export function logAxis(values: readonly number[]): {
  readonly type: 'log';
  readonly nice: false;
  readonly domain: [number, number];
  readonly ticks: number[];
  readonly tickFormat: (value: number) => string;
} {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const [low, high] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const between = (factors: readonly number[]): { domain: [number, number]; ticks: number[] } => {
    const powers = Array.from({ length: high - low + 2 }, (_, i) => low + i);
    const marks = powers.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)));
    const [first, last] = [marks.findLast((mark) => mark <= min) ?? min, marks.find((mark) => mark >= max) ?? max];
    return { domain: [first, last], ticks: marks.filter((mark) => mark >= first && mark <= last) };
  };
  const fine = between([1, 2, 5]);
  const { domain, ticks } = fine.ticks.length <= MAX_TICKS ? fine : between([1]);
  const step = Math.ceil(ticks.length / MAX_TICKS);
  return { type: 'log', nice: false, domain, ticks: ticks.filter((_, i) => i % step === 0), tickFormat: tick };
}

const MAX_TICKS = 8;
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
