import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { elementCount } from '../../tensor.ts';

/** A node and its provider. */
export interface PlacedNode {
  /** `CPUExecutionProvider`, `CUDAExecutionProvider`, … */
  readonly provider: string;
  readonly op: string;
  /** Empty for a node without a name. */
  readonly name: string;
}

/** The same with what it made. */
export interface ProfiledNode extends PlacedNode {
  /** Elements of its largest output of floating-point numbers, float64 apart. */
  readonly floats: number;
  /** The same of float64. */
  readonly doubles: number;
}

/** `MaxPool (pool1)`, for messages. */
export function describeNode({ op, name }: PlacedNode): string {
  return name === '' ? op : `${op} (${name})`;
}

/** The newest profile that ONNX Runtime has written under a path prefix. */
export async function findProfile(prefix: string): Promise<string | undefined> {
  const folder = dirname(resolve(prefix));
  const files = await readdir(folder);
  const own = files.filter((file) => file.startsWith(`${basename(prefix)}_`) && file.endsWith('.json')).sort();
  const newest = own.at(-1);
  return newest && join(folder, newest);
}

/**
 * The nodes that a profile of ONNX Runtime saw running, each once, in the order of their first run.
 *
 * @throws LossgraftError if the file is not a profile, or names no provider for a node.
 */
export async function readProfile(path: string): Promise<ProfiledNode[]> {
  const refuse = (found: string, cause?: unknown): LossgraftError =>
    new LossgraftError({
      code: 'bad-profile',
      where: path,
      expected: "ONNX Runtime's profile: a JSON array of events, each Node event with args.provider and args.op_name",
      found,
      hint: 'End profiling before you read the profile',
      cause,
    });
  let events: unknown;
  try {
    events = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (!Array.isArray(events)) throw refuse('no array');
  const nodes = new Map<string, ProfiledNode>();
  for (const event of events.filter(isKernelEvent)) {
    const { provider, op_name: op, node_index: index, output_type_shape: outputs = [] } = event.args;
    if (provider === undefined || op === undefined) throw refuse(`the event ${event.name} without them`);
    const name = event.name.replace(/_kernel_time$/, '');
    nodes.set(`${index} ${name} ${op} ${provider}`, {
      provider,
      op,
      name,
      floats: largestOf(outputs, /float/),
      doubles: largestOf(outputs, /double/),
    });
  }
  return [...nodes.values()];
}

/** An output as `{ float: [2, 3] }`. */
type Made = Readonly<Record<string, readonly number[]>>;

function largestOf(outputs: readonly Made[], types: RegExp): number {
  const found = outputs.flatMap((made) => Object.entries(made).filter(([type]) => types.test(type)));
  return Math.max(0, ...found.map(([, dims]) => elementCount(dims)));
}

interface KernelEvent {
  readonly name: string;
  readonly args: {
    readonly provider?: string;
    readonly op_name?: string;
    readonly node_index?: string;
    readonly output_type_shape?: readonly Made[];
  };
}

function isKernelEvent(event: unknown): event is KernelEvent {
  if (typeof event !== 'object' || event === null || !('cat' in event) || event.cat !== 'Node') return false;
  return 'name' in event && typeof event.name === 'string' && event.name.endsWith('_kernel_time') && 'args' in event;
}
