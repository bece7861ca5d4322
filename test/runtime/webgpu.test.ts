import { describe, expect, it } from 'vitest';
import { LossgraftError } from '../../src/errors.ts';
import { webgpuForms } from '../../src/lower/webgpu/forms.ts';
import { describeAdapter, readAdapter } from '../../src/runtime/webgpu/adapter.ts';
import { inHalves, withFittingBatch } from '../../src/runtime/webgpu/fitting.ts';
import { explainRun } from '../../src/runtime/webgpu/guard.ts';
import { FORM_NEEDS } from '../../src/runtime/webgpu/needs.ts';
import { checkPlacement } from '../../src/runtime/webgpu/proof.ts';
import type { Tensor } from '../../src/tensor.ts';
import { stepDiffers } from '../../src/thread/deviceSteps.ts';
import { lossgraft, temporaryFolder } from '../support/cli.ts';
import { needs } from '../support/needs.ts';
import { swiftshaderEnvironment } from '../support/swiftshader.ts';

const software = await swiftshaderEnvironment();
const digits = ['fixtures/digits/model.onnx', '--data', 'fixtures/digits/test.npz'];
// Vulkan's loader looks nowhere else for drivers, a machine with a GPU included.
const nothing = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };

describe('the adapter', () => {
  const log = (name: string) => `[Vulkan Loader] DRIVER: Using "${name}" with driver: "/usr/lib/libvulkan_x.so"`;

  it.each([
    ['SwiftShader Device (Subzero)', true],
    ['llvmpipe (LLVM 15.0.6, 256 bits)', true],
    ['NVIDIA GeForce RTX 4090', false],
    ['Intel(R) Arc(tm) A770 Graphics (DG2)', false],
  ])('is what the loader took: %s', (name, isSoftware) => {
    expect(readAdapter(log(name))).toEqual({ name, driver: '/usr/lib/libvulkan_x.so', isSoftware });
    expect(describeAdapter(readAdapter(log(name))).includes('in software')).toBe(isSoftware);
  });

  it('has no name where nothing tells', () => {
    expect(describeAdapter(readAdapter(''))).toMatch(/name the runtime does not tell/);
  });
});

describe('a run', () => {
  const node = (op: string, provider: string, floats: number, doubles = 0) => {
    return { op, name: op.toLowerCase(), provider, floats, doubles };
  };
  const [gpu, cpu] = ['WebGpuExecutionProvider', 'CPUExecutionProvider'];

  it('is refused where floating-point numbers are computed on the CPU, and names them', () => {
    const nodes = [node('Conv', gpu, 64), node('Celu', cpu, 64)];
    expect(() => checkPlacement('m.onnx', nodes)).toThrow(/on the CPU: Celu \(celu\)/);
    expect(() => checkPlacement('m.onnx', [node('Shape', cpu, 0)])).toThrow(/none of them on WebGPU/);
  });

  it('may have lengths, loops and single numbers on the CPU', () => {
    const shapes = [node('Shape', cpu, 0), node('Cast', cpu, 1), node('Scan', cpu, 32), node('Reshape', cpu, 32)];
    const { webgpuNodes, shapeNodes } = checkPlacement('m.onnx', [node('Conv', gpu, 64), ...shapes]);
    expect([webgpuNodes.length, shapeNodes.length]).toEqual([1, 4]);
  });

  it("may have the masks of Dropout on the CPU, in float64, and no float64 of the model's own", () => {
    const own = { ...node('Mul', cpu, 0, 32), name: 'lossgraft/Mul_3' };
    const { maskNodes, shapeNodes } = checkPlacement('m.onnx', [node('Conv', gpu, 64), own, node('Shape', cpu, 0)]);
    expect([maskNodes, shapeNodes.length]).toEqual([[own], 1]);
    expect(() => checkPlacement('m.onnx', [node('Conv', gpu, 64), node('Mul', cpu, 0, 32)])).toThrow(/CPU: Mul/);
  });

  it.each([
    ['WebGPU device lost (2): A valid external Instance reference no longer exists.', 'webgpu-device-lost'],
    ['Failed to allocate memory for requested buffer of size 4294967296: out of memory', 'webgpu-memory'],
    ["Non-zero status code returned while running MaxPool node. Name:'p' The Indices output", 'webgpu-no-kernel'],
    ['Invalid argument', undefined],
  ])('that ends with %s', (message, code) => {
    expect(explainRun('m.onnx', new Error(message))?.code).toBe(code);
  });
});

describe('an operator without a kernel', () => {
  it('is named with its node, and with what the form that was tried needs', () => {
    const error = explainRun(
      'm.onnx',
      new Error("Non-zero status code while running RNN node. Name:'layer1' It throws."),
    );
    expect(error?.message).toMatch(
      /a kernel of WebGPU for RNN \(layer1\).*form of RNN needs sequences of one known length/,
    );
    const other = explainRun('m.onnx', new Error("while running LpPool node. Name:'pool' It throws."));
    expect(other?.message).toMatch(/LpPool \(pool\).*no kernel for LpPool, and lossgraft no other form/);
  });

  it('has a form wherever a form is said to have been tried', () => {
    expect(Object.keys(FORM_NEEDS).filter((op) => !(op in webgpuForms))).toEqual([]);
  });
});

describe('memory that is full', () => {
  const full = new LossgraftError({
    ...{ code: 'webgpu-memory', where: 'm.onnx', expected: 'a run that fits', found: 'out of memory', hint: 'Wait' },
  });
  const most = (rows: number, limit: number) => (rows > limit ? Promise.reject(full) : Promise.resolve({}));

  it.each([
    [32, 9, /A batch of 8 fits/],
    [7, 3, /A batch of 3 fits/],
    [8, 0, /Not even one sample fits/],
  ])('says of a batch of %i what fits', async (batch, limit, hint) => {
    expect(String(await withFittingBatch(full, batch, (rows) => most(rows, limit)))).toMatch(hint);
  });

  it('says nothing new where smaller batches fail for another reason, and of other errors', async () => {
    expect(await withFittingBatch(full, 8, () => Promise.reject(new Error('a fixed batch')))).toBe(full);
    const other = new Error('another');
    expect(await withFittingBatch(other, 8, () => Promise.resolve())).toBe(other);
  });

  it('runs a batch of rows in halves, to the same rows', async () => {
    const rows = (count: number): Tensor => ({
      dtype: 'float32',
      dims: [count, 2],
      data: Float32Array.from({ length: 2 * count }, (_, i) => i),
    });
    const sizes: number[] = [];
    const run = async ({ x }: Readonly<Record<string, Tensor>>) => {
      const [size = 0] = x?.dims ?? [];
      await most(size, 3);
      sizes.push(size);
      return x ? { y: x } : {};
    };
    expect(await inHalves({ x: rows(7) }, run)).toEqual({ y: rows(7) });
    expect(sizes).toEqual([2, 2, 3]);
    await expect(inHalves({ x: rows(7) }, () => Promise.reject(full))).rejects.toBe(full);
  });
});

describe('a step', () => {
  const tensor = (...data: number[]): Tensor => ({
    dtype: 'float32',
    dims: [data.length],
    data: Float32Array.from(data),
  });
  const before = { w: tensor(1, 2, 3) };
  const expected = { loss: tensor(0.5), 'w.next': tensor(1.1, 2.1, 3.1) };
  const differs = stepDiffers(before, 'loss');

  it("is the CPU's within rounding", () => {
    expect(differs({ loss: tensor(0.50001), 'w.next': tensor(1.1001, 2.1, 3.1) }, expected)).toBeUndefined();
  });

  it('is another one by its loss or by where it leads', () => {
    expect(differs({ ...expected, loss: tensor(0.6) }, expected)).toMatch(/a loss of 0.6/);
    expect(differs({ ...expected, loss: tensor(Number.NaN) }, expected)).toMatch(/a loss of NaN/);
    expect(differs({ ...expected, 'w.next': tensor(0.9, 2.1, 3.1) }, expected)).toMatch(/a step that is/);
  });
});

describe('without an adapter', () => {
  it('an error says what is missing and what to do', async () => {
    const { code, stderr } = await lossgraft(['evaluate', ...digits, '--provider', 'webgpu'], {
      env: { ...nothing, XDG_CACHE_HOME: temporaryFolder() },
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/a GPU that WebGPU finds/);
    expect(stderr).toMatch(/provider cpu/);
    if (process.platform === 'linux') expect(stderr).toMatch(/VK_ICD_FILENAMES/);
  });

  it('auto takes the CPU and says why', async () => {
    const { code, stderr } = await lossgraft(['evaluate', ...digits, '--provider', 'auto'], {
      env: { ...nothing, XDG_CACHE_HOME: temporaryFolder() },
    });
    expect(code).toBe(0);
    expect(stderr).toMatch(/Provider auto took c/);
  });
});

describe('on SwiftShader', needs(software !== undefined, 'SwiftShader: Linux on x64'), () => {
  it("evaluate gives the CPU's figures, names the adapter and says that it is no GPU", {
    timeout: 240_000,
  }, async () => {
    const env = { ...software, XDG_CACHE_HOME: temporaryFolder() };
    const [webgpu, cpu] = await Promise.all(
      ['webgpu', 'cpu'].map((provider) =>
        lossgraft(['evaluate', ...digits, '--provider', provider, '--json'], { env }),
      ),
    );
    expect(webgpu?.stderr).toMatch(/WebGPU on SwiftShader .*in software/);
    expect(webgpu?.stderr).toMatch(/WARNING: this is no GPU/);
    expect(webgpu?.stderr).toMatch(/WebGPU verified on the first batch: \d+ nodes on WebGpuExecutionProvider/);
    const [found, expected] = [webgpu, cpu].map((ran) => JSON.parse(ran?.stdout ?? '{}').metrics);
    expect(found.accuracy).toBe(0.89);
    expect(found.logLoss).toBeCloseTo(expected.logLoss, 5);
  });
});
