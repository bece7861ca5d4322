import { isMixed } from '../data/mixing.ts';
import type { Part, Samples } from '../data/samples.ts';
import { fixedBatch } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import type { CacheMode, FeatureReport } from '../records/features.ts';
import type { Runner } from '../thread/runner.ts';
import { type FrozenPart, type FrozenRequest, findFrozenPart } from '../trainGraph/frozenPart.ts';
import { cacheFeatures, type FeatureCache, probeRows } from './features.ts';
import type { GraphPool } from './graphPool.ts';
import type { TrainerRequest } from './request.ts';

/** The data of a run for the graphs behind the frozen part. */
export interface FeaturePlan {
  readonly train: Part;
  readonly validation: Part;
  readonly report: FeatureReport;
  close(): void;
}

/** By default a cache takes at most this much disk space, and at most this many times a row's own inputs per row. */
export const AUTO: { readonly bytes: number; readonly growth: number; readonly tensors: number } = {
  bytes: 8 * 2 ** 30,
  growth: 2,
  tensors: 4,
};

interface Context {
  readonly request: TrainerRequest;
  readonly runner: Runner;
  readonly graphs: GraphPool;
  readonly mode: CacheMode;
}

/**
 * Removes the frozen part from the run's graphs, and runs it once over the data if possible.
 *
 * @param mode with `on`, any reason for `off` is an error.
 * @throws LossgraftError `cache-features`, saying why there can be no cache; `store-failed` on a full disk.
 */
export async function planFeatures(context: Context): Promise<FeaturePlan> {
  const { request, graphs, mode } = context;
  const { train, validation, provider } = request;
  const found = await findFrozenPart(request.model, requestsOf(request));
  const part = 'why' in found ? undefined : found;
  const plain = (why: string): FeaturePlan => {
    if (mode === 'on') throw refusal(why);
    return { train, validation, report: reportOf(part, { why }), close: () => {} };
  };
  if ('why' in found) return plain(found.why);
  const changes = changesOf(request.augmentation);
  const isAugmented = changes !== undefined;
  const why = isAugmented ? changes : mode === 'off' ? 'it was turned off' : undefined;
  if (why !== undefined && mode === 'on') throw refusal(why);
  // On the CPU, the weights of a separate graph are constants, which ONNX Runtime runs faster than inside a Scan.
  if (why === undefined || provider === 'cpu') await graphs.putBehind(found);
  if (mode === 'off' || (isAugmented && provider !== 'cpu')) return plain(why ?? '');
  // Validation data are not augmented.
  const parts = isAugmented ? { validation } : { train, validation };
  const size = await sizeOf(context, found, parts);
  return 'why' in size ? plain(why ?? size.why) : cacheParts(context, found, parts, { ...size, why });
}

/** Why samples are others in every epoch; `undefined` where they are not. */
function changesOf(augmentation: TrainerRequest['augmentation']): string | undefined {
  if ((augmentation?.padding ?? 0) > 0 || augmentation?.flip)
    return 'crops and flips change the samples in every epoch';
  return isMixed(augmentation) ? 'samples are mixed with others in every epoch' : undefined;
}

/** The requests of all graphs of the run that read different tensors. */
function requestsOf({ first, crossEntropy, arms, influence }: TrainerRequest): FrozenRequest[] {
  // If only scales are trained, the features for influence lie in front of everything that the others read.
  const further = first.learnsScales ? [{ ...first, ...influence(undefined) }] : [];
  const all: FrozenRequest[] = [first, crossEntropy, ...arms.map((arm) => arm.graph(undefined)), ...further];
  const key = ({ loss, logits, features, featuresAreNorm }: FrozenRequest): string =>
    JSON.stringify([loss.needsFeatures, logits, features, featuresAreNorm]);
  return [...new Map(all.map((request) => [key(request), request])).values()];
}

/** Data whose frozen part's results are cached. */
interface CachedParts {
  readonly train?: Part;
  readonly validation: Part;
}

async function sizeOf(
  { request, runner, mode }: Context,
  part: FrozenPart,
  { train, validation }: CachedParts,
): Promise<{ readonly rowBytes: number } | { readonly why: string }> {
  const { ports, batchSize } = request;
  if (mode === 'auto' && part.names.length > AUTO.tensors)
    return { why: `the trained part starts at ${part.names.length} tensors` };
  const looked = train ?? validation;
  const probed = await probeRows({ runner, part, batch: batchSize, fixed: fixedBatch(ports) }, looked);
  if ('why' in probed || mode === 'on') return probed;
  const { rowBytes } = probed;
  if (rowBytes > AUTO.growth * looked.samples.rowBytes)
    return { why: `a sample would take ${sized(rowBytes)}, its data ${sized(looked.samples.rowBytes)}` };
  const bytes = rowBytes * ((train?.rows.length ?? 0) + validation.rows.length);
  return bytes > AUTO.bytes
    ? { why: `the cache would take ${sized(bytes)}; auto uses at most ${sized(AUTO.bytes)}` }
    : probed;
}

async function cacheParts(
  { request, runner }: Context,
  part: FrozenPart,
  parts: CachedParts,
  { rowBytes, why }: { readonly rowBytes: number; readonly why: string | undefined },
): Promise<FeaturePlan> {
  const { ports, batchSize, folder, signal, onFeatures } = request;
  const reader = { runner, part, batch: batchSize, fixed: fixedBatch(ports) };
  const labels = ports.at(-1)?.name ?? 'labels';
  const total = (parts.train?.rows.length ?? 0) + parts.validation.rows.length;
  const caches: FeatureCache[] = [];
  const close = (): void => {
    for (const cache of caches) cache.close();
  };
  let before = 0;
  const cached = async (samples: Samples, own: readonly Part[]): Promise<Samples> => {
    const onRows = (done: number): void => onFeatures?.({ done: before + done, total });
    const rows = own.map((part) => part.rows);
    const cache = await cacheFeatures(reader, samples, rows, { labels, folder, signal, onRows });
    caches.push(cache);
    before += rows.reduce((sum, { length }) => sum + length, 0);
    return cache.samples;
  };
  try {
    const { train: given, validation: held } = parts;
    // Parts of the same data share a cache: a training may read both.
    const isOne = given?.samples === held.samples;
    const known = given && (await cached(given.samples, isOne ? [given, held] : [given]));
    const train = given && known ? { ...given, samples: known } : request.train;
    const validation = { ...held, samples: isOne && known ? known : await cached(held.samples, [held]) };
    const because = why ?? `${part.nodes} operators before the trained part give the same results in every epoch`;
    const report = reportOf(part, {
      cached: parts.train !== undefined,
      why: because,
      rows: total,
      bytes: rowBytes * total,
    });
    return { train, validation, report, close };
  } catch (error) {
    close();
    throw error;
  }
}

function reportOf(
  part: FrozenPart | undefined,
  {
    cached = false,
    why,
    rows = 0,
    bytes = 0,
  }: { readonly cached?: boolean; readonly why: string; readonly rows?: number; readonly bytes?: number },
): FeatureReport {
  const tensors = part === undefined ? [] : [...part.names, ...part.passed];
  return { cached, why, tensors, nodes: part?.nodes ?? 0, rows, bytes };
}

/** For the notes of a run; none if nothing is frozen. */
export function describeFeatures({ cached, why, tensors, rows, bytes, nodes }: FeatureReport): string | undefined {
  if (nodes === 0) return undefined;
  const names = tensors.map((name) => `"${name}"`).join(', ');
  const kept = rows > 0 ? `; for ${rows} validation samples the result is cached (${sized(bytes)})` : '';
  if (!cached) return `The frozen layers (${nodes} operators, up to ${names}) run in every epoch: ${why}${kept}`;
  return `The frozen layers run once: ${why}; ${names} of ${rows} samples are cached (${sized(bytes)})`;
}

function sized(bytes: number): string {
  const [size = 1, unit = 'B'] = UNITS.find(([least]) => bytes >= least) ?? [];
  return `${Number((bytes / size).toPrecision(3))} ${unit}`;
}

const UNITS = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
] as const;

function refusal(why: string): LossgraftError {
  return new LossgraftError({
    code: 'cache-features',
    where: 'option cacheFeatures',
    expected: 'frozen layers whose results can be cached',
    found: why,
    hint: `Leave the option out, or train the last layers only: ${option('trainable', 'head')}`,
  });
}
