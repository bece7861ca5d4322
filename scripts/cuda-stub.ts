import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { LossgraftError } from '../src/errors.ts';

/**
 * Bodies of the CUDA functions that a session needs to be created; every other one returns 0, success. Memory is the host's and
 * kernels do nothing. The device claims to be a GPU of compute capability 8.0 with 8 GiB.
 */
const ALLOCATE = '{*p=aligned_alloc(256,(n+511)/256*256);return 0;}';
const HANDLE = '{*h=malloc(16);return 0;}';
const BODIES: Readonly<Record<string, string>> = {
  cudaMalloc: `int cudaMalloc(void**p,size_t n)${ALLOCATE}`,
  cudaMallocHost: `int cudaMallocHost(void**p,size_t n)${ALLOCATE}`,
  cudaHostAlloc: `int cudaHostAlloc(void**p,size_t n,unsigned f)${ALLOCATE}`,
  cudaMallocAsync: `int cudaMallocAsync(void**p,size_t n,void*s)${ALLOCATE}`,
  cudaMallocFromPoolAsync: `int cudaMallocFromPoolAsync(void**p,size_t n,void*a,void*s)${ALLOCATE}`,
  cudaFree: 'int cudaFree(void*p){free(p);return 0;}',
  cudaFreeHost: 'int cudaFreeHost(void*p){free(p);return 0;}',
  cudaFreeAsync: 'int cudaFreeAsync(void*p,void*s){free(p);return 0;}',
  cudaMemcpy: 'int cudaMemcpy(void*d,const void*s,size_t n,int k){memcpy(d,s,n);return 0;}',
  cudaMemcpyAsync: 'int cudaMemcpyAsync(void*d,const void*s,size_t n,int k,void*t){memcpy(d,s,n);return 0;}',
  cudaMemset: 'int cudaMemset(void*d,int v,size_t n){memset(d,v,n);return 0;}',
  cudaMemsetAsync: 'int cudaMemsetAsync(void*d,int v,size_t n,void*s){memset(d,v,n);return 0;}',
  cudaGetDevice: 'int cudaGetDevice(int*d){*d=0;return 0;}',
  cudaGetDeviceCount: 'int cudaGetDeviceCount(int*d){*d=1;return 0;}',
  cudaMemGetInfo: 'int cudaMemGetInfo(size_t*f,size_t*t){*f=*t=8ull<<30;return 0;}',
  cudaDriverGetVersion: 'int cudaDriverGetVersion(int*v){*v=13000;return 0;}',
  cudaRuntimeGetVersion: 'int cudaRuntimeGetVersion(int*v){*v=13000;return 0;}',
  // Offsets of cudaDeviceProp (CUDA 12 and 13): name 0, totalGlobalMem 288, sharedMemPerBlock 296, regsPerBlock 304, warpSize 308,
  // maxThreadsPerBlock 320, maxThreadsDim 324, maxGridSize 336, major 360, minor 364, multiProcessorCount 384.
  cudaGetDeviceProperties:
    'int cudaGetDeviceProperties(char*p,int d){memset(p,0,900);strcpy(p,"STUB");*(size_t*)(p+288)=8ull<<30;' +
    '*(size_t*)(p+296)=49152;*(int*)(p+304)=65536;*(int*)(p+308)=32;*(int*)(p+320)=1024;int*q=(int*)(p+324);q[0]=1024;' +
    'q[1]=1024;q[2]=64;q[3]=2147483647;q[4]=65535;q[5]=65535;*(int*)(p+360)=8;*(int*)(p+384)=108;return 0;}',
  // cudaDeviceAttr: 16 multiProcessorCount, 75 and 76 compute capability.
  cudaDeviceGetAttribute: 'int cudaDeviceGetAttribute(int*v,int a,int d){*v=a==75?8:a==76?0:a==16?108:1024;return 0;}',
  cudaStreamCreate: `int cudaStreamCreate(void**h)${HANDLE}`,
  cudaStreamCreateWithFlags: `int cudaStreamCreateWithFlags(void**h,unsigned f)${HANDLE}`,
  cudaEventCreate: `int cudaEventCreate(void**h)${HANDLE}`,
  cudaEventCreateWithFlags: `int cudaEventCreateWithFlags(void**h,unsigned f)${HANDLE}`,
  cudaMemPoolCreate: `int cudaMemPoolCreate(void**h,void*p)${HANDLE}`,
  cudaGetErrorName: 'const char*cudaGetErrorName(int e){return "STUB";}',
  cudaGetErrorString: 'const char*cudaGetErrorString(int e){return "STUB";}',
  __cudaRegisterFatBinary: 'void**__cudaRegisterFatBinary(void*f){static void*x[4];return x;}',
  cudaStreamIsCapturing: 'int cudaStreamIsCapturing(void*s,int*p){*p=0;return 0;}',
  cublasCreate_v2: `int cublasCreate_v2(void**h)${HANDLE}`,
  cublasLtCreate: `int cublasLtCreate(void**h)${HANDLE}`,
  cublasGetStatusName: 'const char*cublasGetStatusName(int e){return "STUB";}',
  cublasGetStatusString: 'const char*cublasGetStatusString(int e){return "STUB";}',
  curandCreateGenerator: `int curandCreateGenerator(void**h,int t)${HANDLE}`,
};

/**
 * Writes stand-ins for the CUDA libraries that a provider library needs into `folder`, so that its sessions can be created without a
 * GPU. Node placement and kernel constructors are then real; every computed number is meaningless.
 *
 * @returns the names of the libraries.
 * @throws LossgraftError where gcc, nm or readelf is missing or fails.
 */
export async function buildCudaStubs(provider: string, folder: string): Promise<string[]> {
  const symbols = await undefinedSymbols(provider);
  const dynamic = (await tool('readelf', ['-dW', provider])).matchAll(/\(NEEDED\).*\[(libcu.*)\]/g);
  const libraries = [...dynamic].map(([, name = '']) => name);
  for (const library of libraries) await buildStub(library, symbols.get(library) ?? [], folder);
  return libraries;
}

/** The tools that stub libraries are made with and that are not installed. */
export function missingTools(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['nm', 'readelf', 'gcc'].filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

/** The undefined CUDA symbols of a library by the library that is to define them: `cudaMalloc@libcudart.so.13`; driver symbols have no version. */
async function undefinedSymbols(provider: string): Promise<Map<string, string[]>> {
  const symbols = new Map<string, string[]>();
  for (const line of (await tool('nm', ['-D', '--undefined-only', provider])).split('\n')) {
    const [name = '', version = name.startsWith('cu') ? 'libcuda.so.1' : ''] = (
      line.trim().split(/\s+/).at(-1) ?? ''
    ).split('@');
    if (version.startsWith('libcu')) symbols.set(version, [...(symbols.get(version) ?? []), name]);
  }
  return symbols;
}

async function buildStub(library: string, symbols: readonly string[], folder: string): Promise<void> {
  const source = join(folder, `${library}.c`);
  const bodies = symbols.map((name) => BODIES[name] ?? `long ${name}(){return 0;}`);
  const includes = ['stdlib', 'string', 'stdio', 'stddef'].map((name) => `#include <${name}.h>`);
  await writeFile(source, [...includes, ...bodies, 'int lossgraft_stub;', ''].join('\n'));
  const versioned = library !== 'libcuda.so.1' && symbols.length > 0;
  const map = join(folder, `${library}.map`);
  if (versioned) await writeFile(map, `${library} { global: *; };\n`);
  const flags = ['-w', '-shared', '-fPIC', '-O1', '-fno-builtin', `-Wl,-soname,${library}`];
  await tool('gcc', [
    ...flags,
    ...(versioned ? [`-Wl,--version-script=${map}`] : []),
    source,
    '-o',
    join(folder, library),
  ]);
}

async function tool(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { maxBuffer: 1 << 26 })).stdout;
  } catch (cause) {
    const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw new LossgraftError({
      code: 'tool-failed',
      where: 'CUDA stub libraries',
      expected: `the tool ${command}`,
      found: absent ? 'none installed' : String(cause instanceof Error ? cause.message : cause),
      hint: 'Install gcc and binutils',
      cause,
    });
  }
}
