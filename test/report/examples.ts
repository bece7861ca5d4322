import { random } from '../../src/data/random.ts';
import { gate } from '../../src/metrics/gate.ts';
import type { Scored } from '../../src/metrics/scored.ts';
import type { RunDecision } from '../../src/records/decision.ts';
import type { EpochRecord } from '../../src/records/epoch.ts';
import type { ClassInfluence } from '../../src/records/influence.ts';
import { type DetailedMetrics, detailedMetricsOf, type Metrics, metricsOf } from '../../src/records/metrics.ts';
import { DEFAULT_SCHEDULE } from '../../src/records/schedule.ts';
import type { Preview, PreviewCell, Report, ReportArm, ReportSample } from '../../src/report/report.ts';
import { curvesOf } from '../../src/trainer/details.ts';
import { scoredOf } from '../support/scored.ts';

export interface Example {
  readonly classes: number;
  readonly arms?: readonly string[];
  readonly epochs?: number;
  nameOf?(index: number): string;
}

const IMAGE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** A made-up run: recalls that fall with the class's rank, and rise with every epoch. */
export function exampleReport({
  classes,
  arms = ['ib', 'ce+inverse', 'ce'],
  epochs = 6,
  nameOf = String,
}: Example): Report {
  const counts = Array.from({ length: classes }, (_, k) =>
    Math.max(2, Math.floor(2000 * 0.01 ** (k / Math.max(1, classes - 1)))),
  );
  const history: EpochRecord[] = [recordOf('before', arms[0] ?? '', 0, counts)];
  for (const arm of arms)
    for (let epoch = 1; epoch <= epochs; epoch++) history.push(recordOf('loss', arm, epoch, counts));
  const shown = arms.map((name, i): ReportArm => {
    return {
      name,
      isBaseline: i > 0 && name === 'ce+inverse',
      epoch: epochs,
      metrics: detailedAt(name, epochs, counts),
      alpha: i === 0 ? 22.4 : null,
    };
  });
  return {
    model: `${nameOf(0)}.onnx`,
    isDone: true,
    isRunning: false,
    error: null,
    judgedOn: 'validation',
    before: detailedAt(arms[0] ?? '', 0, counts),
    arms: shown,
    history,
    schedule: { ...DEFAULT_SCHEDULE, epochs },
    classes: counts.map((count, k) => ({ name: nameOf(k), count })),
    sizes: { train: counts.reduce((a, b) => a + b, 0), validation: 20 * classes, test: null },
    influence: { alpha: 22.4, epsilon: 1e-3, samples: 5000, of: 9000, classes: counts.map(influenceOf), top: [] },
    samples: Array.from({ length: 24 }, (_, i) => sampleOf(i, classes, nameOf)),
    settings: { data: nameOf(1 % classes), batchSize: 64, weights: counts, schedule: { ...DEFAULT_SCHEDULE } },
    versions: { lossgraft: '0.1.0', [nameOf(2 % classes)]: nameOf(3 % classes) },
    notes: [nameOf(0), 'a note'],
    decision: decisionOf(arms, counts),
    half: null,
    refit: null,
    curves: curvesOf(
      { before: scoredAt(1, 0, counts), after: scoredAt(1, epochs, counts), validation: scoredAt(1, epochs, counts) },
      counts,
    ),
    mistakes: Array.from({ length: 12 }, (_, i) => ({
      ...sampleOf(i, classes, nameOf),
      label: i % classes,
      predicted: (i + 1) % classes,
      probability: 0.9,
      truth: 0.05,
    })),
    origin: {
      command: `lossgraft train ${nameOf(0)}.onnx --data '${nameOf(1 % classes)}'`,
      workingFolder: '/home/user',
      repeat: `${nameOf(0)}.run/run.json`,
    },
  };
}

function decisionOf(arms: readonly string[], counts: readonly number[]): RunDecision {
  const [before, after] = [scoredAt(1, 0, counts), scoredAt(1, 6, counts)];
  const candidates = arms.map((arm) => {
    const verdict = gate({
      labels: before.labels,
      before: before.predicted,
      after: after.predicted,
      classes: counts.length,
      isSafe: false,
      draws: 20,
    });
    return { arm, share: 1, verdict, collapse: null };
  });
  const why = candidates[0]?.verdict.why ?? '';
  return { taken: { arm: arms[0] ?? '', share: 1 }, file: 'best', why, candidates, newness: null, warning: null };
}

function recordOf(phase: EpochRecord['phase'], arm: string, epoch: number, counts: readonly number[]): EpochRecord {
  const metrics = metricsAt(arm.length, epoch, counts);
  const trained = phase === 'before' ? { rate: null, trainLoss: null } : { rate: 0.1, trainLoss: 40 / (epoch * epoch) };
  return { ...metrics, ...trained, arm, epoch, phase, validationLoss: 2 / (epoch + 1), seconds: 1.25 };
}

const PER_CLASS = 20;

function metricsAt(seed: number, epoch: number, counts: readonly number[]): Metrics {
  return metricsOf(scoredAt(seed, epoch, counts), { trainCounts: counts });
}

/** As in the end of a run. */
function detailedAt(arm: string, epoch: number, counts: readonly number[]): DetailedMetrics {
  const before = epoch === 0 ? {} : { before: scoredAt(arm.length, 0, counts) };
  return detailedMetricsOf(scoredAt(arm.length, epoch, counts), { trainCounts: counts, seed: 0, ...before });
}

function scoredAt(seed: number, epoch: number, counts: readonly number[]): Scored {
  const { below } = random(seed, epoch);
  const classes = counts.length;
  const confusion = counts.map((_, k) => {
    const row = Array<number>(classes).fill(0);
    const chance = Math.min(95, 30 + (50 * (classes - k)) / classes + 4 * epoch);
    for (let i = 0; i < PER_CLASS; i++) {
      const predicted = below(100) < chance ? k : below(classes);
      row[predicted] = (row[predicted] ?? 0) + 1;
    }
    return row;
  });
  return scoredOf(confusion);
}

function influenceOf(count: number, k: number): ClassInfluence {
  return { samples: count, influence: 3 + k, factor: 22.4 / (3 + k), loss: 0.1 + k / 50 };
}

function cellOf(c: number, name: string): PreviewCell {
  return { column: `${name} ${c}`, value: String(1234.5 * c), usual: c < 3 ? '−1 to 2' : null };
}

function sampleOf(i: number, classes: number, nameOf: (index: number) => string): ReportSample {
  const previews: readonly Preview[] = [
    { kind: 'image', uri: IMAGE, width: 8, height: 8 },
    { kind: 'text', text: `${nameOf(i % classes)} = 3` },
    { kind: 'cells', cells: Array.from({ length: 9 }, (_, c) => cellOf(c, nameOf(i % classes))), left: 2 },
  ];
  const preview = previews[i % previews.length];
  if (preview === undefined) throw new RangeError('no preview');
  return {
    row: i,
    where: `${nameOf(i % classes)}/${i}.png`,
    label: i % classes,
    predicted: (2 * i) % classes,
    influence: 100 / (i + 1),
    factor: (i + 1) / 5,
    loss: 3 / (i + 1),
    preview,
  };
}
