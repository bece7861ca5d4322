import { isMainThread } from 'node:worker_threads';
import { LossgraftError } from '../../errors.ts';
import { fromBytes } from '../../files/bytes.ts';
import { openFile } from '../../files/source.ts';
import { scan } from '../../onnx/index.ts';
import type { IsolatedRun } from '../device/isolated.ts';
import type { PlacedNode } from '../device/profile.ts';
import { describeNode } from '../device/profile.ts';
import { diagnoseCuda } from './diagnose.ts';
import { cudaPlacement } from './placement.ts';

/**
 * Turns TF32 off for NVIDIA's libraries in this process, before they start. onnxruntime-node passes no provider option but the device, so
 * `use_tf32` cannot be said; cuBLAS and cuDNN read NVIDIA_TF32_OVERRIDE when they start. Call it in the main thread before a worker
 * starts that will open CUDA sessions: a worker inherits the variable, but native code sees only what the main thread sets.
 *
 * @throws LossgraftError if the variable is set to something else, or in a worker, whose environment the libraries do not see.
 */
export function withoutTf32(): void {
  if (process.env.NVIDIA_TF32_OVERRIDE === '0') return;
  if (isMainThread && process.env.NVIDIA_TF32_OVERRIDE === undefined) {
    process.env.NVIDIA_TF32_OVERRIDE = '0';
    return;
  }
  throw new LossgraftError({
    code: 'tf32-not-off',
    where: 'CUDA session',
    expected: 'NVIDIA_TF32_OVERRIDE=0',
    found: process.env.NVIDIA_TF32_OVERRIDE ?? 'unset in a worker thread, where it cannot be set for native libraries',
    hint: 'Set NVIDIA_TF32_OVERRIDE=0 before the process starts, or allow TF32 with the tf32 option',
  });
}

/** ONNX Runtime's refusal under `session.disable_cpu_ep_fallback`. */
const ON_CPU = 'fallback to CPU EP has been explicitly disabled';

/**
 * Decides about a CUDA session that ONNX Runtime refused because of nodes on the CPU: returns them when each is shape arithmetic that
 * ONNX Runtime keeps there on purpose.
 *
 * @throws LossgraftError naming the nodes that CUDA has no kernel for, or what is missing on this machine.
 */
export async function explainRefusal(name: string, run: IsolatedRun, cause: unknown): Promise<readonly PlacedNode[]> {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (!message.includes(ON_CPU)) throw await unavailable(name, message, cause);
  const { shapeNodes, strays } = await cudaPlacement(run);
  if (strays.length === 0 && shapeNodes.length > 0) return shapeNodes;
  throw strayNodes(name, strays, cause);
}

/**
 * Decides like {@link explainRefusal} for a session that ONNX Runtime did create. The runtime looks for nodes on the CPU only in the main
 * graph, not in the bodies of Loop, If and Scan (seen in 1.30), so the placement of a model with such bodies is listed.
 *
 * @throws LossgraftError naming the nodes that CUDA has no kernel for.
 */
export async function checkBodies(name: string, run: IsolatedRun): Promise<readonly PlacedNode[]> {
  if (!hasBodies(run.model)) return [];
  const { shapeNodes, strays } = await cudaPlacement(run);
  if (strays.length === 0) return shapeNodes;
  throw strayNodes(name, strays);
}

function hasBodies(model: string | Uint8Array): boolean {
  const source = typeof model === 'string' ? openFile(model) : fromBytes(model, 'model');
  try {
    const { graph, functions } = scan(source);
    const nodes = [graph, ...functions].flatMap((part) => part.nodes);
    return nodes.some(({ attributes }) =>
      [...attributes.values()].some(({ type }) => type === 'graph' || type === 'graphs'),
    );
  } finally {
    source.close();
  }
}

/** The error for nodes that would run on the CPU inside a CUDA session. */
export function strayNodes(where: string, strays: readonly PlacedNode[], cause?: unknown): LossgraftError {
  return new LossgraftError({
    code: 'cuda-node-on-cpu',
    where,
    expected: 'every node on CUDAExecutionProvider, except shape arithmetic',
    found: `on the CPU: ${strays.map(describeNode).join(', ') || 'nodes that its log does not name'}`,
    hint: 'Export at an opset where CUDA has a kernel for it (MaxPool: up to 21), or run with the CPU provider',
    cause,
  });
}

async function unavailable(where: string, message: string, cause: unknown): Promise<LossgraftError> {
  const { works, findings } = await diagnoseCuda();
  const missing = findings.filter(({ ok, check }) => !ok && check !== 'run');
  const model = works || missing.length === 0;
  return new LossgraftError({
    code: model ? 'cuda-model-not-loaded' : 'cuda-unavailable',
    where,
    expected: 'a CUDA session',
    found: model ? message.trim() : missing.map(({ check, found }) => `${check}: ${found}`).join('; '),
    hint: model
      ? 'See the message; lossgraft doctor checks CUDA with a model of its own'
      : [...new Set(missing.map(({ hint }) => hint))].join('. '),
    cause,
  });
}
