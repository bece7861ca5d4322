import * as Plot from '@observablehq/plot';
import { groupsOf } from '../metrics/groups.ts';
import type { EpochRecord } from '../records/epoch.ts';
import { logAxis, tick } from './axis.ts';
import { draw } from './draw.ts';
import { number, percent } from './format.ts';
import { type Html, html } from './html.ts';
import { BEFORE, figure, folded, type Look, legend, looksOf, table } from './look.ts';
import type { Report } from './report.ts';

/** One curve chart. */
interface Panel {
  readonly title: string;
  readonly note: string;
  readonly isShare: boolean;
  /** Losses of different kinds are not joined by lines. */
  readonly isJoined: boolean;
  /** Records of older versions may lack a metric. */
  value(record: EpochRecord): number | null | undefined;
}

const PANELS: readonly Panel[] = [
  {
    title: 'Balanced accuracy',
    note: 'Validation data, %: the mean recall of the classes. The mark is the chosen epoch.',
    isShare: true,
    isJoined: true,
    value: ({ balancedAccuracy }) => balancedAccuracy,
  },
  {
    title: 'Macro-F1',
    note: 'Validation data, %: the mean F1 of the classes. It falls when recall costs precision.',
    isShare: true,
    isJoined: true,
    value: ({ macroF1 }) => macroF1,
  },
  {
    title: 'Training loss',
    note: 'Each loss has its own scale: compare shapes, not heights.',
    isShare: false,
    isJoined: false,
    value: ({ trainLoss }) => trainLoss,
  },
  {
    title: 'Validation cross-entropy',
    note: 'Unweighted, whatever the training loss, so curves can be compared.',
    isShare: false,
    isJoined: true,
    value: ({ validationLoss }) => validationLoss,
  },
];

/** For the groups that have classes. */
function groupPanels({ classes }: Report): Panel[] {
  const groups = groupsOf(classes.map(({ count }) => count));
  return (['many', 'medium', 'few'] as const)
    .filter((group) => groups.of.includes(group))
    .map((group) => ({
      title: `${group[0]?.toUpperCase()}${group.slice(1)}-shot classes`,
      note: `Mean recall, %: ${groups.describe[group]}.`,
      isShare: true,
      isJoined: true,
      value: (record) => record[group],
    }));
}

interface Line {
  readonly look: Look;
  readonly records: readonly EpochRecord[];
  readonly best: number | null;
}

/** The course of training, epoch by epoch, for every loss. */
export function curves(report: Report): Html {
  const trained = report.history.filter(({ epoch }) => epoch > 0);
  if (trained.length === 0) return html`<section id="training"><h2>Training</h2><p>No epoch is done yet.</p></section>`;
  const lines = linesOf(report);
  const panels = [...PANELS, ...groupPanels(report)].filter(({ value }) =>
    trained.some((record) => typeof value(record) === 'number'),
  );
  const { ibFrom } = report.schedule;
  const first = ibFrom > 0 ? html` All losses share the first ${ibFrom} epochs (shaded).` : null;
  const shared = trained.some(({ phase }) => phase === 'first') ? [{ ...BEFORE, name: 'first phase' }] : [];
  return html`<section id="training"><h2>Training</h2>
<p class="lede">After every epoch, on data that the model was not trained with.${first}</p>
${legend([...shared, ...looksOf(report.arms)])}
<div class="grid">${panels.map((panel) => panelFigure(panel, lines, report))}</div>
${folded('All epochs as a table', epochs(report.history))}</section>`;
}

/** The shared epochs first, then each loss's own from that point on. */
function linesOf({ history, arms }: Report): Line[] {
  const looks = looksOf(arms);
  const common = history.filter(({ phase }) => phase !== 'loss');
  const fork = common.at(-1);
  const own = arms.flatMap(({ name, epoch }, i): Line[] => {
    const look = looks[i];
    const records = history.filter(({ arm, phase }) => arm === name && phase === 'loss');
    return look && records.length > 0 ? [{ look, records: [...(fork ? [fork] : []), ...records], best: epoch }] : [];
  });
  return [...(common.length > 1 ? [{ look: BEFORE, records: common, best: null }] : []), ...own];
}

interface Point {
  readonly epoch: number;
  readonly value: number;
}

function pointsOf({ records }: Line, { value, isShare, isJoined }: Panel): Point[] {
  const isOwn = records.some(({ phase }) => phase === 'loss');
  return records.flatMap((record) => {
    const found = value(record);
    if (typeof found !== 'number' || !Number.isFinite(found)) return [];
    if (isOwn && !isJoined && record.phase !== 'loss') return [];
    return [{ epoch: record.epoch, value: isShare ? 100 * found : found }];
  });
}

/** Above this ratio of the largest to the smallest value a linear axis would show only the largest. */
const LOG_FROM = 30;

function panelFigure(panel: Panel, lines: readonly Line[], { schedule }: Report): Html {
  const drawn = lines.map((line) => ({ ...line, points: pointsOf(line, panel) }));
  const values = drawn.flatMap(({ points }) => points.map(({ value }) => value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLog = !panel.isShare && low > 0 && high / low > LOG_FROM;
  const shade = schedule.ibFrom > 0 ? [Plot.rect([0], { x1: 0, x2: schedule.ibFrom, fill: 'var(--shade)' })] : [];
  const chart = draw(`${panel.title} by epoch`, {
    height: 230,
    marginLeft: 46,
    marginRight: 14,
    marginTop: 12,
    x: { label: 'epoch', domain: [0, schedule.epochs], ticks: Math.min(6, schedule.epochs), tickFormat: wholeTick },
    y: {
      grid: true,
      nice: true,
      label: null,
      ticks: 5,
      ...(isLog ? logAxis(values) : { tickFormat: tick }),
      tickSize: 0,
      ...(low === high
        ? { domain: [low - (panel.isShare ? 1 : Math.abs(low) / 10), high + (panel.isShare ? 1 : Math.abs(high) / 10)] }
        : {}),
    },
    marks: [...shade, ...drawn.flatMap((line) => marksOf(line, panel))],
  });
  return figure(panel.title, `${panel.note}${isLog ? ' Logarithmic.' : ''}`, chart);
}

function wholeTick(epoch: number): string {
  return Number.isInteger(epoch) ? String(epoch) : '';
}

function marksOf({ look, points, best }: Line & { readonly points: readonly Point[] }, panel: Panel): Plot.Markish[] {
  const title = ({ epoch, value }: Point): string =>
    `${look.name}, epoch ${epoch}: ${panel.isShare ? `${value.toFixed(1)} %` : number(value)}`;
  const at = { x: 'epoch', y: 'value' } as const;
  const style = { stroke: look.color, strokeWidth: 2, strokeDasharray: look.dash, strokeLinejoin: 'round' } as const;
  const taken = points.filter(({ epoch }) => epoch === best);
  const shown = points.length <= MARKED_POINTS ? points : [];
  const hovered = points.length <= HOVERED_POINTS ? points : [];
  return [
    Plot.lineY(points, { ...at, ...style }),
    Plot.dot(shown, { ...at, r: 2.2, fill: look.color }),
    Plot.dot(hovered, { ...at, r: 6, fill: 'transparent', title }),
    Plot.dot(taken, {
      ...at,
      symbol: look.symbol,
      r: 5,
      fill: look.color,
      stroke: 'var(--paper)',
      strokeWidth: 1.5,
      title,
    }),
  ];
}

/** Longer lines are drawn without a dot for each epoch. */
const MARKED_POINTS = 16;
/** And without a label for each. */
const HOVERED_POINTS = 400;

/** Rows of the table of all epochs. */
const MAX_ROWS = 600;

function epochs(history: readonly EpochRecord[]): Html {
  const columns = [
    'epoch',
    'phase',
    'learning rate',
    'training loss',
    'cross-entropy',
    'balanced %',
    'macro-F1 %',
    'accuracy %',
    'many %',
    'medium %',
    'few %',
    'seconds',
  ];
  const shown = history.slice(-MAX_ROWS);
  const rows = shown.map((record) => [
    record.arm,
    String(record.epoch),
    { before: 'as given', first: 'first', loss: 'loss' }[record.phase],
    number(record.rate),
    number(record.trainLoss),
    number(record.validationLoss),
    ...[record.balancedAccuracy, record.macroF1, record.accuracy, record.many, record.medium, record.few].map(percent),
    record.seconds.toFixed(1),
  ]);
  const heads = [{ head: 'loss', isText: true }, ...columns.map((head) => ({ head, isText: head === 'phase' }))];
  const left = history.length - shown.length;
  const caption =
    left > 0
      ? `The last ${MAX_ROWS} epochs; the ${left} earlier ones are in metrics.jsonl`
      : 'All epochs, on validation data';
  return table(caption, heads, rows);
}
