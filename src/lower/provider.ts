import { LossgraftError } from '../errors.ts';
import { diagnoseCuda } from '../runtime/cuda/diagnose.ts';
import type { Provider } from '../runtime/session.ts';
import { describeAdapter } from '../runtime/webgpu/adapter.ts';
import { webgpuMachine, wrongNumbers } from './webgpu/machine.ts';

/** What a user may ask for: `auto` is CUDA, else WebGPU on a GPU, else the CPU. */
export type AskedProvider = Provider | 'auto';

/** Who computes, and what the user should know of it. */
export interface SettledProvider {
  readonly provider: Provider;
  readonly notes: readonly string[];
}

/**
 * Decides who computes.
 *
 * @throws LossgraftError `webgpu-unavailable` or `webgpu-disagrees` where WebGPU was asked for. Of CUDA, sessions tell.
 */
export async function settleProvider(asked: AskedProvider = 'cpu'): Promise<SettledProvider> {
  if (asked === 'auto') return choose();
  if (asked !== 'webgpu') return { provider: asked, notes: [] };
  const { adapter, wrong } = await webgpuMachine();
  if (wrong !== null) throw wrongNumbers(wrong);
  const slow = adapter.isSoftware ? '. WARNING: this is no GPU; the provider cpu is faster' : '';
  return { provider: 'webgpu', notes: [`WebGPU on ${describeAdapter(adapter)}${slow}`] };
}

async function choose(): Promise<SettledProvider> {
  const cuda = await diagnoseCuda();
  if (cuda.works) return { provider: 'cuda', notes: ['Provider auto took cuda'] };
  const without = `no CUDA (${firstProblem(cuda.findings)})`;
  const found = await machineOr();
  if (typeof found !== 'string' && !found.adapter.isSoftware && found.wrong === null) {
    const notes = [`Provider auto took webgpu on ${describeAdapter(found.adapter)}: ${without}`];
    return { provider: 'webgpu', notes };
  }
  const why = typeof found === 'string' ? found : (found.wrong ?? `only ${describeAdapter(found.adapter)}`);
  return { provider: 'cpu', notes: [`Provider auto took cpu: ${without}; no GPU for WebGPU (${why})`] };
}

async function machineOr(): Promise<Awaited<ReturnType<typeof webgpuMachine>> | string> {
  try {
    return await webgpuMachine();
  } catch (error) {
    if (error instanceof LossgraftError) return error.problem.found;
    throw error;
  }
}

function firstProblem(
  findings: readonly { readonly check: string; readonly ok: boolean; readonly found: string }[],
): string {
  const first = findings.find(({ ok }) => !ok);
  return first ? `${first.check}: ${first.found}` : 'unknown';
}
