import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The folder of the onnxruntime-node package that sessions use. */
export function runtimeFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}

/** The folder of the native libraries in an onnxruntime-node package. */
export function binaryFolder(runtime: string): string {
  return join(runtime, 'bin', 'napi-v6', process.platform, process.arch);
}

/** A child process's task. */
export interface IsolatedRun {
  readonly model: string | Uint8Array;
  readonly provider: 'cpu' | 'cuda' | 'webgpu';
  /** float32 inputs; without them the session is created and nothing runs. */
  readonly feeds?: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: readonly number[] }>>;
  /** Refuse nodes on the CPU (only for `cuda`). */
  readonly strict?: boolean;
  readonly optimization?: 'disabled' | 'basic' | 'all';
  /** ONNX Runtime's log level; 0 tells where each node was placed. Default 2. */
  readonly severity?: number;
  readonly config?: Readonly<Record<string, string>>;
  /** Another onnxruntime-node package than the installed one. */
  readonly runtime?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface IsolatedResult {
  /** The outputs' numbers by name; `undefined` if the session failed or no run was requested. */
  readonly outputs: Readonly<Record<string, readonly number[]>> | undefined;
  /** ONNX Runtime's message, or how the process died; `undefined` when all went well. */
  readonly error: string | undefined;
  /** The log of the native code. */
  readonly log: string;
}

/** Milliseconds: loading 272 MB of kernels for the first time from a slow disk takes seconds; a hung driver never returns. */
const TIME_LIMIT = 300_000;

// Plain CommonJS text and no module of its own: the same from TypeScript sources, from the build and inside a bundle.
const CHILD = `
const { runtime, model, options, feeds } = JSON.parse(process.env.LOSSGRAFT_ISOLATED);
const report = (result) => process.send(result, () => process.exit(0));
(async () => {
  const ort = require(runtime);
  const session = await ort.InferenceSession.create(model, options);
  if (feeds === undefined) return report({});
  const tensor = ([name, { dims, data }]) => [name, new ort.Tensor('float32', Float32Array.from(data), dims)];
  const results = await session.run(Object.fromEntries(Object.entries(feeds).map(tensor)));
  report({ outputs: Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)])) });
})().catch((error) => report({ error: String(error && error.message) }));
`;

/**
 * Creates a session, and runs it if there are feeds, in a process of its own: that captures the output of native code, and a crash ends
 * only that process.
 */
export async function runIsolated(run: IsolatedRun): Promise<IsolatedResult> {
  if (typeof run.model === 'string') return launch(run, run.model);
  const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeFile(path, run.model);
    return await launch(run, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function launch(run: IsolatedRun, model: string): Promise<IsolatedResult> {
  const extra = {
    ...run.config,
    ...(run.provider === 'cuda' && run.strict !== false ? { 'session.disable_cpu_ep_fallback': '1' } : {}),
  };
  const options = {
    executionProviders: [run.provider === 'webgpu' ? { name: 'webgpu', preferredLayout: 'NCHW' } : run.provider],
    graphOptimizationLevel: run.optimization ?? 'all',
    logSeverityLevel: run.severity ?? 2,
    extra,
  };
  const task = { runtime: run.runtime ?? runtimeFolder(), model, options, feeds: run.feeds };
  const env = {
    ...process.env,
    NVIDIA_TF32_OVERRIDE: '0',
    ...run.environment,
    NODE_OPTIONS: '',
    LOSSGRAFT_ISOLATED: JSON.stringify(task),
  };
  const child = spawn(process.execPath, ['-e', CHILD], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    timeout: TIME_LIMIT,
  });
  return new Promise((resolve) => {
    let answer: { outputs?: Record<string, number[]>; error?: string } | undefined;
    let log = '';
    const collect = (chunk: Buffer): void => {
      log += chunk.toString('utf8');
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.on('message', (message: { outputs?: Record<string, number[]>; error?: string }) => {
      answer = message;
    });
    child.on('error', (error) => resolve({ outputs: undefined, error: error.message, log }));
    child.on('close', (code, signal) => {
      const died = answer === undefined ? `the process ended with ${signal ?? `exit code ${code}`}` : undefined;
      resolve({ outputs: answer?.outputs, error: answer?.error ?? died, log: plain(log) });
    });
  });
}

function plain(log: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ONNX Runtime colours its log with escape sequences
  return log.replaceAll(/\u001b\[[0-9;]*m/g, '').trim();
}
