import type { Tensor } from '../tensor.ts';
import { proveOnCuda } from './cuda/proof.ts';
import type { Provider, SessionOptions } from './session.ts';
import { type Differs, proveOnWebgpu } from './webgpu/proof.ts';

/** What a device proved with a batch: its outputs, and a note for the user. */
export interface DeviceProof {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly note: string;
}

export interface DeviceProofOptions extends Pick<SessionOptions, 'name' | 'externalDataFolder'> {
  readonly differs?: Differs;
}

/**
 * Proves on a batch that a device computes a model, and computes it right.
 *
 * @throws LossgraftError naming the node that ran on the CPU, or the output that differs from the CPU's.
 */
export async function proveOnDevice(
  provider: Exclude<Provider, 'cpu'>,
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  { differs, ...options }: DeviceProofOptions = {},
): Promise<DeviceProof> {
  if (provider === 'cuda') {
    const { cudaNodes, shapeNodes, outputs } = await proveOnCuda(model, feeds, options);
    return {
      outputs,
      note: noteOf('CUDA', `${cudaNodes.length} nodes on CUDAExecutionProvider`, shapeNodes.length, 0),
    };
  }
  const how = differs === undefined ? options : { ...options, differs };
  const { webgpuNodes, shapeNodes, maskNodes, outputs } = await proveOnWebgpu(model, feeds, how);
  const nodes = `${webgpuNodes.length} nodes on WebGpuExecutionProvider`;
  return { outputs, note: noteOf('WebGPU', nodes, shapeNodes.length, maskNodes.length) };
}

function noteOf(device: string, nodes: string, shapes: number, masks: number): string {
  const onCpu = [
    ...(shapes > 0 ? [`${shapes} nodes of shape arithmetic`] : []),
    ...(masks > 0 ? [`${masks} that draw the masks of Dropout in float64`] : []),
  ];
  const rest = onCpu.length > 0 ? `, ${onCpu.join(' and ')} on the CPU` : '';
  return `${device} verified on the first batch: ${nodes}${rest}, numbers as the CPU's`;
}
