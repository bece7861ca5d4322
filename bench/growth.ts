import { jobOf } from './compare.ts';
import { modelFile, timeOurs } from './processes.ts';
import { digits, type Grown, type Results, spreadOf } from './results.ts';
import { marked, type Section, type Settings, section } from './section.ts';
import { DEPTHS } from './works.ts';

/** Eight times as much: from the least to the most a unit may become so much dearer. */
const LIMIT = 1.2;
const TURNS = 2;
/** A residual network has so many blocks for each n. */
const BLOCKS = 3;

interface Point {
  readonly units: number;
  readonly work: string;
  readonly batch: number;
}

interface Series {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly Point[];
}

const batches = (work: string, least: number): Point[] =>
  [1, 2, 4, 8].map((times) => ({ units: times * least, work, batch: times * least }));

const SERIES: Readonly<Record<string, Series>> = {
  'resnet32-batch': { title: 'ResNet-32, batch', unit: 'image', points: batches('resnet32', 16) },
  'mlp-batch': { title: 'MLP 784-256-10, batch', unit: 'sample', points: batches('mlp', 128) },
  'resnet-depth': {
    title: 'ResNet-8 to ResNet-50, 32×32, batch 64: residual blocks',
    unit: 'block',
    points: DEPTHS.map((n) => ({ units: BLOCKS * n, work: `cifar-resnet-${n}`, batch: 64 })),
  },
};

export function growth(results: Results, settings: Settings): Section {
  const head = ['8 times as much', 'of', 'milliseconds of a step for each', 'most : least', 'at most'];
  return section(
    { title: 'The cost of a step is linear', head, names: Object.keys(SERIES), rows: results.growth },
    {
      measure: (name) => measure(seriesNamed(name), settings),
      cells: (row, name) => {
        const { title, unit } = seriesNamed(name);
        const each = Object.entries(row.unitMs).map(([units, ms]) => `${units}: ${ms}`);
        return [title, unit, each.join(', '), marked(dearer(row), LIMIT), `${LIMIT}`];
      },
      missed: (row) => (dearer(row) > LIMIT ? [`a unit is ${dearer(row)} as dear, at most ${LIMIT}`] : []),
    },
  );
}

function seriesNamed(name: string): Series {
  const series = SERIES[name];
  if (series) return series;
  throw new Error(`no series ${name}`);
}

/** What one unit costs among the most of them, against among the fewest. */
function dearer({ unitMs }: Grown): number {
  const each = Object.values(unitMs);
  return digits((each.at(-1) ?? Number.NaN) / (each[0] ?? Number.NaN));
}

/** All points in turns, so that what else the machine does meets all of them. */
async function measure({ points }: Series, settings: Settings): Promise<Grown> {
  const times = new Map<Point, number[]>(points.map((point) => [point, []]));
  for (const { work } of points) await modelFile(work, settings);
  for (let turn = 0; turn < Math.min(TURNS, settings.turns); turn++) {
    for (const [{ work, batch }, ms] of times)
      ms.push(...(await timeOurs(jobOf(work, 'auto', { ...settings, batch }), settings)).ms);
  }
  const each = [...times].map(([{ units }, ms]) => [`${units}`, digits(spreadOf(ms).median / units)]);
  return { unitMs: Object.fromEntries(each) };
}
