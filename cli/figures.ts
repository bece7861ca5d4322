import { METRICS } from '../src/catalogue.ts';
import type { MetricName } from '../src/index.ts';

/** A metric's heading; shares are in percent. */
export function headOf(name: MetricName): string {
  return METRICS[name].isShare ? `${METRICS[name].title} %` : METRICS[name].title;
}

/** A difference with its sign. */
export function signed(name: MetricName, value: number): string {
  const size = Math.abs(METRICS[name].isShare ? 100 * value : value);
  const text = METRICS[name].isShare ? size.toFixed(1) : String(Number(size.toPrecision(3)));
  return `${Number(text) === 0 ? '' : value < 0 ? '−' : '+'}${text}`;
}

/** A share in percent, rounded. */
export function percent(share: number | null | undefined): number | null {
  return share === null || share === undefined ? null : Math.round(1000 * share) / 10;
}
