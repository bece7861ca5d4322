import { LossgraftError } from '../../errors.ts';
import { type IsolatedRun, runIsolated } from '../device/isolated.ts';
import type { PlacedNode } from '../device/profile.ts';

/** Where the CUDA provider's partitioner put a model's nodes. */
export interface Placement {
  readonly total: number;
  /** The nodes on the CPU that ONNX Runtime moved there because they compute shapes. */
  readonly shapeNodes: readonly PlacedNode[];
  /** Every other node that is not on CUDA, copies apart. */
  readonly strays: readonly PlacedNode[];
}

/**
 * Operators that may count as shape arithmetic. It takes ONNX Runtime's word too: the node must be one of those that it reports to
 * have forced to the CPU (`GetCpuPreferredNodes`: small integer tensors computed from a Shape).
 */
const SHAPE_OPERATORS: ReadonlySet<string> = new Set(
  (
    'Shape Size Gather Slice Concat Squeeze Unsqueeze Cast Range ConstantOfShape Add Sub Mul Div Mod Min Max Neg Abs Floor Ceil ' +
    'ReduceProd ReduceSum ReduceMin ReduceMax Equal Less Greater LessOrEqual GreaterOrEqual Not And Or Where Reshape Expand Tile ' +
    'Identity Split NonZero Reciprocal Sqrt'
  ).split(' '),
);

/**
 * Creates a CUDA session of the model in a child process and reads from its log where every node went. Nothing runs.
 *
 * @throws LossgraftError if the session cannot be created, or the log does not account for the nodes.
 */
export async function cudaPlacement(
  run: Omit<IsolatedRun, 'provider' | 'strict' | 'severity' | 'feeds'>,
): Promise<Placement> {
  const { error, log } = await runIsolated({ ...run, provider: 'cuda', strict: false, severity: 0 });
  const where = typeof run.model === 'string' ? run.model : 'model';
  if (error !== undefined) throw failed(where, `${error.trim()}${loadError(log)}`);
  return readPlacement(where, log);
}

/** Reads the placement out of a verbose log; see {@link cudaPlacement}. */
export function readPlacement(where: string, log: string): Placement {
  const all = /All nodes placed on \[(\w+)\]\. Number of nodes: (\d+)/;
  const some = /Node\(s\) placed on \[(\w+)\]\. Number of nodes: (\d+)/;
  const forced = [...log.matchAll(/Force fallback to CPU execution for node: (.*?) because the CPU execution path/g)];
  const names = forced.map(([, name = '']) => name);
  const nodes: PlacedNode[] = [];
  let total = 0;
  let listing: string | undefined;
  for (const line of log.split('\n')) {
    const [, provider, count] = all.exec(line) ?? some.exec(line) ?? [];
    const [, op, name] = /VerifyEachNodeIsAssignedToAnEp\] {3}(\S+) \((.*)\)$/.exec(line) ?? [];
    if (provider !== undefined) {
      total += Number(count);
      listing = some.test(line) ? provider : undefined;
      if (listing === undefined && provider !== 'CUDAExecutionProvider') {
        nodes.push({ provider, op: `all ${count} nodes of a graph`, name: '' });
      }
    } else if (listing !== undefined && op !== undefined) {
      nodes.push({ provider: listing, op, name: name ?? '' });
    }
  }
  if (total === 0) throw failed(where, 'a log that reports no node placements');
  const elsewhere = nodes.filter(({ provider }) => provider !== 'CUDAExecutionProvider');
  const isShape = (node: PlacedNode): boolean => {
    const at = SHAPE_OPERATORS.has(node.op) ? names.indexOf(node.name) : -1;
    if (at >= 0 && node.name === '') names.splice(at, 1);
    return at >= 0;
  };
  const shapeNodes = elsewhere.filter(isShape);
  return { total, shapeNodes, strays: elsewhere.filter((node) => !shapeNodes.includes(node)) };
}

/** The dynamic linker's reason, which ONNX Runtime's own message leaves out. */
export function loadError(log: string): string {
  const [, reason] = /Failed to load library .* with error: (.*)/.exec(log) ?? [];
  return reason === undefined ? '' : ` (${reason})`;
}

function failed(where: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'placement-unknown',
    where,
    expected: 'a CUDA session that reports where it placed its nodes',
    found,
    hint: 'Run lossgraft doctor to see whether CUDA works here',
  });
}
