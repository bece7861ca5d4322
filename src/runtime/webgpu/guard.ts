import { LossgraftError, option } from '../../errors.ts';
import { describeNode } from '../device/profile.ts';
import { diagnoseWebgpu } from './diagnose.ts';
import { whyNoKernel } from './needs.ts';

/** Dawn's words where there is no adapter. */
const NO_ADAPTER = 'Failed to get a WebGPU adapter';

/** The error for a WebGPU session that cannot be created: what is missing on this machine, or what ONNX Runtime says of the model. */
export async function explainWebgpu(where: string, cause: unknown): Promise<LossgraftError> {
  if (cause instanceof LossgraftError) return cause;
  const message = (cause instanceof Error ? cause.message : String(cause)).trim();
  if (!message.includes(NO_ADAPTER)) {
    const known = explainRun(where, cause);
    if (known) return known;
    return new LossgraftError({
      code: 'webgpu-model-not-loaded',
      where,
      expected: 'a WebGPU session',
      found: message,
      hint: 'See the message; lossgraft doctor checks WebGPU with a model of its own',
      cause,
    });
  }
  const { findings } = await diagnoseWebgpu();
  const missing = findings.filter(({ ok }) => !ok);
  return new LossgraftError({
    code: 'webgpu-unavailable',
    where,
    expected: 'a GPU that WebGPU finds',
    found: missing.map(({ check, found }) => `${check}: ${found}`).join('; ') || 'no adapter',
    hint: [...new Set(missing.map(({ hint }) => hint).filter((hint) => hint !== ''))].join('. ') || NONE,
    cause,
  });
}

const NONE = 'Run with the provider cpu, or see lossgraft doctor';

/** What ONNX Runtime throws in a run on WebGPU, by what the user can do about it; `undefined` for anything else. */
export function explainRun(where: string, cause: unknown): LossgraftError | undefined {
  const message = (cause instanceof Error ? cause.message : String(cause)).trim().replace(/\.$/, '');
  const problem = (code: 'webgpu-device-lost' | 'webgpu-memory' | 'webgpu-no-kernel', expected: string, hint: string) =>
    new LossgraftError({ code, where, expected, found: message, hint, cause });
  if (/device (was |is )?lost|DeviceLost/i.test(message)) {
    return problem('webgpu-device-lost', 'a GPU that stays there', LOST);
  }
  if (
    /out of memory|allocat|exceeds the (max|limit)|buffer size|maxBufferSize|maxStorageBufferBindingSize/i.test(message)
  ) {
    return problem('webgpu-memory', "a run that fits the GPU's memory", MEMORY);
  }
  const [, op, name = ''] = /while running (\w+) node\. Name:'([^']*)'/.exec(message) ?? [];
  if (op === undefined) return undefined;
  const node = describeNode({ op, name, provider: 'webgpu' });
  const hint = `${whyNoKernel([op])}. Run with the provider cpu; docs/operators.md lists what WebGPU computes`;
  return problem('webgpu-no-kernel', `a kernel of WebGPU for ${node}`, hint);
}

const LOST = `The driver has reset it, or it was removed. Start the command again, or continue a training run with ${option('mode', 'resume')}`;
const MEMORY = `Take a smaller ${option('batchSize')}, or the provider cpu`;
