import type { Metrics } from '../records/metrics.ts';
import { percent } from './format.ts';
import type { ReportClass } from './report.ts';

/** Gains and losses of single classes, as sentences; only those beyond noise, the largest first. */
export interface Trades {
  readonly gained: readonly string[];
  readonly paid: readonly string[];
}

/** Of each side. */
const MAX_CLASSES = 5;

interface Move {
  readonly text: string;
  readonly change: number;
}

/** Recall and precision of every class, before and after; none if there are too many classes for a confusion matrix. */
export function tradesOf(classes: readonly ReportClass[], before: Metrics, after: Metrics): Trades {
  const moves = classes.flatMap(({ name }, k): Move[] =>
    (['recall', 'precision'] as const).flatMap((what) => {
      const [a, b] = [shareOf(before, what, k), shareOf(after, what, k)];
      if (a === null || b === null || !isTold(a, b)) return [];
      const change = b.hits / b.of - a.hits / a.of;
      return [{ text: `${name}: ${what} ${percent(a.hits / a.of)} to ${percent(b.hits / b.of)} %`, change }];
    }),
  );
  return {
    gained: listed(moves.filter(({ change }) => change > 0)),
    paid: listed(moves.filter(({ change }) => change < 0)),
  };
}

function listed(moves: readonly Move[]): string[] {
  const sorted = moves.toSorted((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const left = sorted.length - MAX_CLASSES;
  return [
    ...sorted.slice(0, MAX_CLASSES).map(({ text }) => text),
    ...(left > 0 ? [`and ${left} more, see the classes`] : []),
  ];
}

interface Share {
  readonly hits: number;
  readonly of: number;
}

/** `null` for a class without samples, or never predicted. */
function shareOf({ confusion }: Metrics, what: 'recall' | 'precision', k: number): Share | null {
  if (confusion === null) return null;
  const cells = what === 'recall' ? (confusion[k] ?? []) : confusion.map((row) => row[k] ?? 0);
  const of = cells.reduce((sum, n) => sum + n, 0);
  return of === 0 ? null : { hits: confusion[k]?.[k] ?? 0, of };
}

/** Two standard errors of an unpaired difference, of shares with a hit and a miss added to each (Agresti and Caffo, 2000). */
function isTold(a: Share, b: Share): boolean {
  const [p, q] = [a, b].map(({ hits, of }) => ({ share: (hits + 1) / (of + 2), of: of + 2 }));
  if (!p || !q) return false;
  const variance = (p.share * (1 - p.share)) / p.of + (q.share * (1 - q.share)) / q.of;
  return Math.abs(q.share - p.share) > 1.96 * Math.sqrt(variance);
}
