import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { isFloat, type Tensor } from '../../tensor.ts';
import { type Agreement, compareOutputs } from '../device/agreement.ts';
import { describeNode, type ProfiledNode, readProfile } from '../device/profile.ts';
import { openSession, type SessionOptions } from '../session.ts';
import { whyNoKernel } from './needs.ts';

/**
 * Largest difference from the CPU's numbers, of what an output's largest magnitude is: drivers are allowed to round sums and functions
 * such as exp and tanh more loosely than a CPU.
 */
export const WEBGPU_TOLERANCE = 1e-3;

/** float32's smallest normal number: GPUs may flush smaller ones to zero. */
const SMALLEST = 2 ** -126;

/** Why results are others than the CPU's, where that is not to be told output by output. */
export type Differs = (
  found: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
) => string | undefined;

/** What a run on WebGPU proved. */
export interface WebgpuProof {
  /** The nodes that the profile saw on WebGpuExecutionProvider. */
  readonly webgpuNodes: readonly ProfiledNode[];
  /** On the CPU: lengths, indices and labels, loops and what moves their data, and single numbers made of lengths. */
  readonly shapeNodes: readonly ProfiledNode[];
  /** On the CPU: what draws the masks of Dropout, in float64, which WebGPU does not have. */
  readonly maskNodes: readonly ProfiledNode[];
  readonly agreement: readonly Agreement[];
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Runs the model on WebGPU and on the CPU with the same feeds, and proves that WebGPU did it: the profile names WebGpuExecutionProvider
 * for every node that makes floating-point numbers, and the numbers agree.
 *
 * @throws LossgraftError naming the node that ran on the CPU, or the output that differs.
 */
export async function proveOnWebgpu(
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  { differs, ...options }: Omit<SessionOptions, 'provider' | 'profile'> & { readonly differs?: Differs } = {},
): Promise<WebgpuProof> {
  const name = options.name ?? (typeof model === 'string' ? model : 'model');
  const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
  try {
    const session = await openSession(model, { ...options, provider: 'webgpu', profile: join(folder, 'webgpu') });
    const { outputs, nodes } = await profiled(session, feeds);
    const placed = checkPlacement(name, nodes);
    const agreement = await checkNumbers(name, model, feeds, { outputs, differs, options });
    return { ...placed, agreement, outputs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Holds results against the CPU's. @throws LossgraftError `webgpu-disagrees` naming the output that differs. */
export async function checkNumbers(
  name: string,
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  found: {
    readonly outputs: Readonly<Record<string, Tensor>>;
    readonly differs: Differs | undefined;
    readonly options: Omit<SessionOptions, 'provider' | 'profile'>;
  },
): Promise<readonly Agreement[]> {
  const { outputs, differs, options } = found;
  const cpu = await openSession(model, { ...options, provider: 'cpu' });
  const expected = await cpu.run(feeds).finally(() => cpu.close());
  const agreement = compareOutputs(outputs, expected, { rtol: WEBGPU_TOLERANCE, atol: 0 });
  if (differs === undefined) for (const each of agreement) checkAgreement(name, each, expected[each.output]);
  const why = differs?.(outputs, expected);
  if (why !== undefined) throw disagreement(name, "the CPU's step", why);
  return agreement;
}

async function profiled(
  session: Awaited<ReturnType<typeof openSession>>,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<{ readonly outputs: Record<string, Tensor>; readonly nodes: readonly ProfiledNode[] }> {
  try {
    const outputs = await session.run(feeds);
    return { outputs, nodes: await readProfile(await session.endProfiling()) };
  } finally {
    await session.close();
  }
}

/** The CPU runs loops; the nodes in them have places of their own. */
const CONTROL_FLOW = ['Scan', 'Loop', 'If'];

/** ONNX Runtime leaves nodes that move the data of loops on the CPU; they compute nothing. */
const MOVEMENT = [
  ...['Slice', 'Split', 'Squeeze', 'Unsqueeze', 'Concat', 'Transpose', 'Reshape', 'Flatten', 'Identity'],
  ...['ConstantOfShape', 'Expand', 'Gather', 'Tile', 'Where'],
];

const UNCOMPUTED: ReadonlySet<string> = new Set([...CONTROL_FLOW, ...MOVEMENT]);

/** Nodes that compute floating-point numbers on the CPU, lossgraft's own in float64 apart. */
export function straysIn(nodes: readonly ProfiledNode[]): readonly ProfiledNode[] {
  return nodes.filter(({ provider, op, floats, doubles, name }) => {
    const size = isOwn(name) ? floats : Math.max(floats, doubles);
    return provider === 'CPUExecutionProvider' && size > 1 && !UNCOMPUTED.has(op);
  });
}

/** A model's own float64 is nobody's wish on a GPU; that of a mask's hash is lossgraft's. */
function isOwn(name: string): boolean {
  return name.startsWith('lossgraft/');
}

/** @throws LossgraftError where a node that makes floating-point numbers ran on the CPU, or none on WebGPU. */
export function checkPlacement(
  where: string,
  nodes: readonly ProfiledNode[],
): Pick<WebgpuProof, 'webgpuNodes' | 'shapeNodes' | 'maskNodes'> {
  const webgpuNodes = nodes.filter(({ provider }) => provider === 'WebGpuExecutionProvider');
  const others = nodes.filter(({ provider }) => provider !== 'WebGpuExecutionProvider');
  const maskNodes = others.filter(({ doubles, name }) => doubles > 1 && isOwn(name));
  const shapeNodes = others.filter((node) => !maskNodes.includes(node));
  const strays = straysIn(nodes);
  if (strays.length > 0) {
    throw new LossgraftError({
      code: 'webgpu-node-on-cpu',
      where,
      expected: 'every node that computes floating-point numbers on WebGpuExecutionProvider',
      found: `on the CPU: ${strays.map(describeNode).join(', ')}`,
      hint: `${whyNoKernel(strays.map(({ op }) => op))}. Run with the provider cpu`,
    });
  }
  if (webgpuNodes.length > 0) return { webgpuNodes, shapeNodes, maskNodes };
  throw new LossgraftError({
    code: 'nothing-on-webgpu',
    where,
    expected: 'nodes on WebGpuExecutionProvider in the profile',
    found: `${nodes.length} nodes, none of them on WebGPU`,
    hint: 'The runtime may have folded the whole model into constants',
  });
}

function checkAgreement(where: string, { output, maxAbsolute, agrees }: Agreement, expected: Tensor | undefined): void {
  if (agrees) return;
  const largest = isFloat(expected?.dtype) ? largestIn(expected) : 0;
  if (maxAbsolute <= Math.max(WEBGPU_TOLERANCE * largest, SMALLEST)) return;
  const expectedNumbers = `the CPU's numbers within ${WEBGPU_TOLERANCE} of the largest, ${largest.toPrecision(4)}`;
  throw disagreement(`${where}, output ${output}`, expectedNumbers, `differences up to ${maxAbsolute}`);
}

function disagreement(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'webgpu-disagrees',
    where,
    expected,
    found,
    hint: 'Do not trust this GPU run: update the driver, or run with the provider cpu. lossgraft doctor tells which adapter it is',
  });
}

function largestIn(tensor: Tensor | undefined): number {
  let largest = 0;
  for (const element of tensor?.data ?? []) {
    const size = Math.abs(Number(element));
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}
