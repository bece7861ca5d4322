import { resolve } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { type DataDigest, digestOf } from '../data/digest.ts';
import { option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { type Model, modelHash } from '../model.ts';
import type { RunFile, RunOption } from '../records/runFile.ts';
import { trainRows } from '../tables/train.ts';
import type { Catalogue, TrainOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { versions } from './versions.ts';

interface RunFacts {
  readonly model: Model;
  /** As given by the caller. */
  readonly given: TrainOptions;
  readonly plan: Plan;
  /** The effective options of the first loss and of the optimizer. */
  readonly declared: Readonly<Record<string, unknown>>;
}

/** The record of a run: every option with its origin, and fingerprints of its model and data. */
export async function describeRun(catalogue: Catalogue, { model, given, plan, declared }: RunFacts): Promise<RunFile> {
  const { origin = {} } = given;
  const { values, lost } = origin.options ? { values: origin.options, lost: [] } : askedOf(catalogue, model, given);
  const asked = Object.entries(values).map(([key, value]): [string, RunOption] => {
    return [key, { value, from: origin.from?.[key] ?? 'program' }];
  });
  const by = settlerOf(plan, given);
  const counting = Object.entries(declared).map(([key, value]) => [key, { value, from: by, settled: true }] as const);
  const settled = [...Object.entries(settledBy(plan, by)), ...counting].filter(([key]) => !(key in values));
  return {
    versions: versions(),
    begun: new Date().toISOString(),
    resumed: [],
    command: origin.command ?? null,
    workingFolder: process.cwd(),
    folder: resolve(given.folder),
    model: { path: model.path, sha256: await modelHash(model) },
    data: await digestsOf(given),
    options: Object.fromEntries([...asked, ...settled]),
    notRepeatable: lost,
  };
}

async function digestsOf({ data, validation, test }: TrainOptions): Promise<RunFile['data']> {
  const parts = Object.entries({ data, validation, test });
  const found = parts.map(async ([key, part]) => (isDataset(part) ? [[key, await digestOf(part)] as const] : []));
  return Object.fromEntries((await Promise.all(found)).flat());
}

/** Options of the call, not of the run. */
const OF_CALL: ReadonlySet<string> = new Set(['folder', 'mode', 'origin', 'signal', 'serve']);
/** Options of `openData` that follow from others. */
const DERIVED: ReadonlySet<string> = new Set(['model', 'unlabelled', 'otherwiseSplit']);

/** The given options as plain data, and those whose values are not plain data. */
function askedOf(
  catalogue: Catalogue,
  model: Model,
  given: TrainOptions,
): { readonly values: Readonly<Record<string, unknown>>; readonly lost: readonly string[] } {
  const reading = Object.entries(given.data.source?.options ?? {}).filter(([key]) => !DERIVED.has(key));
  const own = Object.entries(given).filter(
    ([key, value]) => value !== undefined && !OF_CALL.has(key) && !isListener(key),
  );
  const values = new Map<string, unknown>([
    ...(model.path === null ? [] : [['model', model.path] as const]),
    ...reading,
  ]);
  const lost: string[] = model.path === null ? ['model'] : [];
  for (const [key, value] of own) {
    const named = namedIn(catalogue, key, value);
    const path = isDataset(value) ? value.source?.path : undefined;
    if (named !== undefined) for (const [name, each] of Object.entries(named)) values.set(name, each);
    else if (path !== undefined) values.set(key, path);
    else if (isPlain(value)) values.set(key, value);
    else lost.push(key);
  }
  return { values: Object.fromEntries(values), lost };
}

/** A loss, weighting or optimizer of the catalogue by name, with its options beside it. */
function namedIn(catalogue: Catalogue, key: string, value: unknown): Readonly<Record<string, unknown>> | undefined {
  const { losses, weightings, optimizers } = catalogue;
  const known: Readonly<Record<string, readonly [entries: object, method: string]>> = {
    loss: [losses, 'build'],
    classWeights: [weightings, 'weights'],
    weights: [weightings, 'weights'],
    optimizer: [optimizers, 'update'],
  };
  const [entries, method] = known[key] ?? [{}, ''];
  const { of, options } = isRecord(value) && 'of' in value ? value : { of: value, options: {} };
  const own = methodOf(of, method);
  const [name] =
    Object.entries(entries).find(([, entry]) => own !== undefined && methodOf(entry, method) === own) ?? [];
  return name === undefined ? undefined : { [key]: name, ...(isRecord(options) ? options : {}) };
}

/** The method that identifies an entry: a configured one is another object with the same method. */
function methodOf(thing: unknown, method: string): unknown {
  const isThing = (typeof thing === 'object' && thing !== null) || typeof thing === 'function';
  return isThing ? Reflect.get(thing, method) : undefined;
}

/** The origin of most options left open. */
function settlerOf({ method }: Plan, { recipe }: TrainOptions): string {
  if (recipe !== undefined) return `recipe ${recipe}`;
  return method === null ? 'default' : `method ${method}`;
}

/** The default values, and their origins. */
function settledBy(plan: Plan, by: string): Readonly<Record<string, RunOption>> {
  const { schedule, method, goal, select, selectBy, optimizer, batchSize } = plan;
  const rows = Object.entries(trainRows).flatMap(([key, row]): [string, unknown, string][] => {
    return 'default' in row && row.flag !== false ? [[key, row.default, 'default']] : [];
  });
  const planned: readonly (readonly [string, unknown, string])[] = [
    ['optimizer', optimizer, by],
    ['schedule', schedule.kind, by],
    ['warmup', schedule.warmup, by],
    ['batchSize', batchSize, batchSize === trainRows.batchSize.default ? 'default' : by],
    ['epochs', schedule.epochs, method === null ? by : 'size of the data'],
    ['learningRate', schedule.rate, method === null ? by : 'network'],
    ['select', select, by],
    ['selectBy', selectBy, `goal ${goal}`],
    ...(method === null ? [] : [['method', method, `goal ${goal}`] as const]),
  ];
  const all = [...rows, ...planned].filter(([, value]) => value !== undefined);
  return Object.fromEntries(all.map(([key, value, from]) => [key, { value, from, settled: true }]));
}

/** How a run differs from the one it repeats or resumes, for people. */
export function differences(before: RunFile, now: RunFile): string[] {
  const versioned = ['lossgraft', 'onnxruntime-node'].filter((name) => before.versions[name] !== now.versions[name]);
  const models = before.model.sha256 === now.model.sha256 ? [] : [now.model];
  return [
    ...versioned.map(
      (name) =>
        `The run was made with ${name} ${before.versions[name]}, this is ${now.versions[name]}: figures may differ`,
    ),
    ...models.map(
      ({ path, sha256 }) =>
        `The model ${path} has other bytes than that of the run: SHA-256 ${short(sha256)}, before ${short(before.model.sha256)}`,
    ),
    ...Object.entries(before.data).flatMap(([key, then]) => dataDifference(then, now.data[key])),
    ...Object.entries(before.options).flatMap(([key, then]) => optionDifference(key, then, now.options[key])),
  ];
}

function dataDifference(then: DataDigest | null, now: DataDigest | null | undefined): string[] {
  if (!then || !now || (then.sha256 === now.sha256 && then.of === now.of)) return [];
  const shown = ({ files, bytes, sha256 }: DataDigest): string =>
    `${files === 1 ? '' : `${files} files, `}${bytes} bytes, SHA-256 ${short(sha256)}`;
  return [`The data ${now.path} are not those of the run: ${shown(now)}; before ${shown(then)}`];
}

/** Only values that lossgraft chose both times: given options are intended. */
function optionDifference(key: string, then: RunOption, now: RunOption | undefined): string[] {
  const { value } = then;
  if (!then.settled || !now?.settled || JSON.stringify(value) === JSON.stringify(now.value)) return [];
  const repeat = typeof value === 'string' || typeof value === 'number' ? `; ${option(key, value)} repeats it` : '';
  return [`${option(key)} was ${JSON.stringify(value)} in the run and is ${JSON.stringify(now.value)} now${repeat}`];
}

function short(sha256: string): string {
  return `${sha256.slice(0, 12)}…`;
}

function isDataset(value: unknown): value is Dataset {
  return isRecord(value) && value.columns instanceof Map;
}

function isListener(key: string): boolean {
  return /^on[A-Z]/.test(key);
}

/** Whether JSON can hold all of it. */
function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain);
  if (isRecord(value)) return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
  return value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
}
