import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import type { Tolerance } from '../../numbers.ts';
import type { Tensor } from '../../tensor.ts';
import { type Agreement, compareOutputs } from '../device/agreement.ts';
import { type PlacedNode, readProfile } from '../device/profile.ts';
import { openSession, type SessionOptions } from '../session.ts';
import { strayNodes } from './guard.ts';

/** For float32 without TF32: sums in another order, over thousands of terms. */
export const CUDA_TOLERANCE: Tolerance = { rtol: 1e-4, atol: 1e-5 };

/** What a run on CUDA proved. */
export interface CudaProof {
  /** The nodes that the profile saw on CUDAExecutionProvider. */
  readonly cudaNodes: readonly PlacedNode[];
  /** Shape arithmetic that ONNX Runtime keeps on the CPU. */
  readonly shapeNodes: readonly PlacedNode[];
  readonly agreement: readonly Agreement[];
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** TF32 is off here, because a proof compares with float32 on the CPU. */
export type ProofOptions = Omit<SessionOptions, 'provider' | 'profile' | 'tf32'> & { readonly tolerance?: Tolerance };

/**
 * Runs the model on CUDA and on the CPU with the same feeds, and proves that CUDA did it: the profile names CUDAExecutionProvider for
 * every node (shape arithmetic apart), and the numbers agree.
 *
 * @throws LossgraftError naming the node that ran on the CPU, or the output that differs.
 */
export async function proveOnCuda(
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  { tolerance = CUDA_TOLERANCE, ...options }: ProofOptions = {},
): Promise<CudaProof> {
  const name = options.name ?? (typeof model === 'string' ? model : 'model');
  const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
  try {
    const { outputs, nodes, shapeNodes } = await profiledRun(model, feeds, {
      ...options,
      profile: join(folder, 'cuda'),
    });
    const cudaNodes = checkNodes(name, nodes, shapeNodes);
    const cpu = await openSession(model, { ...options, provider: 'cpu' });
    const agreement = compareOutputs(outputs, await cpu.run(feeds), tolerance);
    await cpu.close();
    checkAgreement(name, agreement, tolerance);
    return { cudaNodes, shapeNodes, agreement, outputs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function profiledRun(
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  options: SessionOptions,
): Promise<{ outputs: Record<string, Tensor>; nodes: PlacedNode[]; shapeNodes: readonly PlacedNode[] }> {
  const session = await openSession(model, { ...options, provider: 'cuda' });
  try {
    const outputs = await session.run(feeds);
    return { outputs, nodes: await readProfile(await session.endProfiling()), shapeNodes: session.shapeNodesOnCpu };
  } finally {
    await session.close();
  }
}

/**
 * The nodes of a profile that ran on CUDA.
 *
 * @throws LossgraftError where one ran elsewhere and is not among `shapeNodes`, or where none ran on CUDA.
 */
export function checkNodes(
  model: string,
  nodes: readonly PlacedNode[],
  shapeNodes: readonly PlacedNode[],
): readonly PlacedNode[] {
  const isShape = (node: PlacedNode): boolean =>
    shapeNodes.some(({ op, name }) => op === node.op && (name === node.name || name === ''));
  const elsewhere = nodes.filter(({ provider }) => provider !== 'CUDAExecutionProvider');
  const strays = elsewhere.filter((node) => !isShape(node));
  if (strays.length > 0) throw strayNodes(model, strays);
  const cudaNodes = nodes.filter(({ provider }) => provider === 'CUDAExecutionProvider');
  if (cudaNodes.length > 0) return cudaNodes;
  throw new LossgraftError({
    code: 'nothing-on-cuda',
    where: model,
    expected: 'nodes on CUDAExecutionProvider in the profile',
    found: `${nodes.length} nodes, none of them on CUDA`,
    hint: 'The runtime may have folded the whole model into constants',
  });
}

function checkAgreement(model: string, agreement: readonly Agreement[], { rtol, atol }: Tolerance): void {
  const worst = agreement.find(({ agrees }) => !agrees);
  if (worst === undefined) return;
  throw new LossgraftError({
    code: 'cuda-disagrees',
    where: `${model}, output ${worst.output}`,
    expected: `the CPU's numbers within ${atol} + ${rtol}·|value|`,
    found: `differences up to ${worst.maxAbsolute} (relative ${worst.maxRelative})`,
    hint: 'Do not trust this GPU run; check driver and versions against docs/cuda.md, or set another tolerance',
  });
}
