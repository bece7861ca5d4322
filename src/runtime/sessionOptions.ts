import { resolve } from 'node:path';
import * as ort from 'onnxruntime-node';

/** The execution provider. `cuda` and `webgpu` are requested alone and never fall back to the CPU. */
export type Provider = 'cpu' | 'cuda' | 'webgpu';

/** How ONNX Runtime rewrites the graph before it runs. */
export type Optimization = 'off' | 'basic' | 'all';

export interface SessionOptions {
  /** Default `cpu`. */
  readonly provider?: Provider;
  /** Default `all`. */
  readonly optimization?: Optimization;
  /** Threads within one operator; ONNX Runtime's own choice by default. */
  readonly threads?: number;
  /** Path prefix of a profile: ONNX Runtime appends a time stamp and `.json`. See {@link Session.endProfiling}. */
  readonly profile?: string;
  /** ONNX Runtime's log on stderr: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal. Default 4: errors are thrown, not printed. */
  readonly logSeverity?: 0 | 1 | 2 | 3 | 4;
  /** The folder of external data for a model given as bytes. A model given as a path has it beside itself. */
  readonly externalDataFolder?: string;
  /** For `cuda`: lets cuBLAS and cuDNN round float32 inputs to TF32. Default false. */
  readonly tf32?: boolean;
  /**
   * Whether ONNX Runtime allocates one block for all tensors of a run, from the second run with the same shapes on. Default true. Without
   * it, a training step takes half the memory and no more time.
   */
  readonly memoryPattern?: boolean;
  /** For `webgpu`: outputs that stay in the GPU's memory, for {@link Session.runOnDevice}. */
  readonly onDevice?: readonly string[];
  /** ONNX Runtime session configuration entries, such as `session.disable_prepacking: '1'`. */
  readonly config?: Readonly<Record<string, string>>;
  /** The model's name in error messages. Default: the file's name, or `model` for bytes. */
  readonly name?: string;
}

/** ONNX Runtime's words. */
export const OPTIMIZATION = { off: 'disabled', basic: 'basic', all: 'all' } as const;

export function create(
  model: string | Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  return typeof model === 'string'
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options);
}

/** The layout that computes right numbers: the default one, NHWC, does not with every number of channels (seen in 1.30). */
const WEBGPU = { name: 'webgpu', preferredLayout: 'NCHW' } as const;

function locations(names: readonly string[]): Record<string, 'gpu-buffer'> {
  return Object.fromEntries(names.map((name) => [name, 'gpu-buffer']));
}

export function nativeOptions(options: SessionOptions): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [options.provider === 'webgpu' ? WEBGPU : (options.provider ?? 'cpu')],
    graphOptimizationLevel: OPTIMIZATION[options.optimization ?? 'all'],
    logSeverityLevel: options.logSeverity ?? 4,
    extra: config(options),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    ...(options.onDevice === undefined ? {} : { preferredOutputLocation: locations(options.onDevice) }),
    ...(options.memoryPattern === undefined ? {} : { enableMemPattern: options.memoryPattern }),
    ...(options.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
  };
}

export function config({ config: entries, externalDataFolder: folder }: SessionOptions): Record<string, string> {
  const external =
    folder === undefined ? {} : { 'session.model_external_initializers_file_folder_path': resolve(folder) };
  return { ...entries, ...external };
}
