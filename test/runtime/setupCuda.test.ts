import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { setupCuda, unpack } from '../../src/runtime/cuda/setup.ts';
import { needsLinux } from './tools.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lossgraft-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const shared = 'libonnxruntime_providers_shared.so';
const cuda = 'libonnxruntime_providers_cuda.so';

async function wheel(files: Readonly<Record<string, Buffer>>): Promise<string> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(content, name);
  zip.end();
  const path = join(folder, 'test.whl');
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

describe('unpack', () => {
  it('takes the two provider libraries and nothing else', async () => {
    const big = Buffer.alloc(3_000_000, 'kernels');
    const path = await wheel({
      'onnxruntime/capi/libonnxruntime_providers_tensorrt.so': Buffer.from('other'),
      [`onnxruntime/capi/${shared}`]: Buffer.from('shared'),
      [`onnxruntime/capi/${cuda}`]: big,
      [`elsewhere/${cuda}`]: Buffer.from('decoy'),
    });
    await unpack(path, folder);
    expect((await readdir(folder)).sort()).toEqual([cuda, shared, 'test.whl']);
    expect(big.equals(await readFile(join(folder, cuda)))).toBe(true);
  });

  it('refuses a wheel without them, and a file that is no zip', async () => {
    const path = await wheel({ [`onnxruntime/capi/${shared}`]: Buffer.from('shared') });
    await expect(unpack(path, folder)).rejects.toThrow(`a wheel without ${cuda}`);
    await writeFile(path, 'no zip');
    await expect(unpack(path, folder)).rejects.toThrow();
  });
});

describe('setupCuda', needsLinux, () => {
  it('keeps what is there and right', async () => {
    await writeFile(join(folder, shared), '');
    await writeFile(join(folder, cuda), '\x001.30.0\0');
    expect(await setupCuda({ to: folder })).toMatchObject({ folder, source: 'already there' });
  });

  it('does not replace another version, nor half an installation, by itself', async () => {
    await writeFile(join(folder, cuda), '\x001.29.0\0');
    await expect(setupCuda({ to: folder })).rejects.toMatchObject({ code: 'provider-exists' });
    await writeFile(join(folder, shared), '');
    await expect(setupCuda({ to: folder })).rejects.toThrow('of version 1.29.0');
    expect(await readFile(join(folder, cuda), 'latin1')).toBe('\x001.29.0\0');
  });

  it("does not run the runtime's own installer for another folder", async () => {
    await expect(setupCuda({ to: folder, source: 'runtime' })).rejects.toMatchObject({
      code: 'installer-has-one-place',
    });
  });
});
