import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CUDA_LIBRARY, SHARED_LIBRARY } from '../src/runtime/cuda/diagnose.ts';
import { binaryFolder, runtimeFolder } from '../src/runtime/device/isolated.ts';
import { buildCudaStubs } from './cuda-stub.ts';

/** A copy of onnxruntime-node with the CUDA provider in it, and stub libraries for it. */
export interface StubbedRuntime {
  readonly runtime: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Copies onnxruntime-node, for this system alone, into `work`; returns the copy's folder. node_modules stays as it is. */
export async function copyRuntime(work: string): Promise<string> {
  const installed = runtimeFolder();
  const runtime = join(work, 'node_modules', basename(installed));
  await mkdir(runtime, { recursive: true });
  for (const part of ['package.json', 'dist', 'lib'])
    await cp(join(installed, part), join(runtime, part), { recursive: true });
  await cp(binaryFolder(installed), binaryFolder(runtime), { recursive: true, dereference: true });
  await symlink(join(dirname(installed), 'onnxruntime-common'), join(work, 'node_modules', 'onnxruntime-common'));
  for (const name of [SHARED_LIBRARY, CUDA_LIBRARY]) await rm(join(binaryFolder(runtime), name), { force: true });
  return runtime;
}

/** Makes a {@link StubbedRuntime} in `work` out of the provider libraries in `provider`. */
export async function stubRuntime(provider: string, work: string): Promise<StubbedRuntime> {
  const runtime = await copyRuntime(work);
  const stubs = join(work, 'stubs');
  await mkdir(stubs);
  for (const name of [SHARED_LIBRARY, CUDA_LIBRARY])
    await symlink(resolve(provider, name), join(binaryFolder(runtime), name));
  await buildCudaStubs(join(provider, CUDA_LIBRARY), stubs);
  return { runtime, environment: { LD_LIBRARY_PATH: stubs } };
}
