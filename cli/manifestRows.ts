import { kebabCase } from '../src/catalogue.ts';
import type { Inspection } from '../src/index.ts';
import { formatNumber } from './io.ts';

type Manifest = Readonly<Record<string, unknown>>;
type SettingRow = readonly [string, string];

/** How a training step updates, and the modes of its layers. */
export function settingRows(settings: Manifest): SettingRow[] {
  const { optimizer, optimizerOptions, clipNorm, accumulate, noDecayForVectors, rateFactors } = settings;
  const { batchNorm, dropout, seed, keepTies, precision } = settings;
  return [
    ['optimizer', [String(optimizer), ...pairs(optimizerOptions)].join(', ')],
    ['update', pairs({ clipNorm, accumulate, noDecayForVectors, rateFactors }).join(', ')],
    ['mode', pairs({ batchNorm, dropout, seed, keepTies, precision }).join(', ')],
  ];
}

/** The manifest of a file that lossgraft wrote; `[]` for other files. */
export function manifestRows({ manifest }: Inspection): SettingRow[] {
  if (manifest === null) return [];
  if ('problem' in manifest) return [['lossgraft', String(manifest.problem)]];
  const { kind, form, stepsPerRun, source, version, loss, reduction, options } = manifest;
  if (kind === 'tuned') return [['lossgraft', `tuned, version ${version}`]];
  const how = form === undefined ? [] : pairs({ form, ...(stepsPerRun === undefined ? {} : { stepsPerRun }) });
  const [file] = pairs(isRecord(source) ? { from: source.file } : {});
  return [
    ['lossgraft', [String(kind), ...how, file ?? 'from an unknown file', `version ${version}`].join(', ')],
    ['loss', [`${loss}, ${reduction} over the samples`, ...pairs(options)].join(', ')],
    ...(kind === 'train' ? [...settingRows(manifest), ['state', countStates(manifest)] as const] : []),
  ];
}

/** The inputs and outputs that are not states. */
export function otherPorts<T extends { readonly name: string }>(ports: readonly T[], { manifest }: Inspection): T[] {
  const states = new Set(statesOf(manifest).flatMap(({ name }) => [name, `${name}.next`, `${name}.grad`]));
  return ports.filter(({ name }) => !states.has(name));
}

function countStates(manifest: Manifest): string {
  const states = statesOf(manifest);
  const kinds = ['parameter', 'slot', 'statistic'];
  return kinds.map((kind) => `${states.filter((state) => state.kind === kind).length} ${kind}s`).join(', ');
}

function statesOf(manifest: Manifest | null): Manifest[] {
  const states = manifest?.states;
  return Array.isArray(states) ? states.filter(isRecord) : [];
}

/** `clip-norm 2`, one for each entry. */
function pairs(values: unknown): string[] {
  return isRecord(values) ? Object.entries(values).map(([key, value]) => `${kebabCase(key)} ${shown(value)}`) : [];
}

function shown(value: unknown): string {
  if (value === undefined) return 'not stated';
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none';
  if (typeof value === 'number') return formatNumber(value);
  if (!Array.isArray(value)) return String(value);
  return value.map((item) => (isRecord(item) ? `${item.pattern}=${item.factor}` : String(item))).join(' ');
}

function isRecord(value: unknown): value is Manifest {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
