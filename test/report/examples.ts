import { random } from '../../src/data/random.ts';
import type { Scored } from '../../src/metrics/scored.ts';
import type { EpochRecord } from '../../src/records/epoch.ts';
import type { ClassInfluence } from '../../src/records/influence.ts';
import { type DetailedMetrics, detailedMetricsOf, type Metrics, metricsOf } from '../../src/records/metrics.ts';
import { DEFAULT_SCHEDULE } from '../../src/records/schedule.ts';
import type { Report, ReportArm, ReportSample } from '../../src/report/report.ts';
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
  };
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

function sampleOf(i: number, classes: number, nameOf: (index: number) => string): ReportSample {
  const preview =
    i % 2 === 0
      ? ({ kind: 'image', uri: IMAGE, width: 8, height: 8 } as const)
      : ({ kind: 'text', text: `${nameOf(i % classes)} = 3` } as const);
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
