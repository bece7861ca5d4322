import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedChromium } from './chromium.ts';

/** The loader of Vulkan and a driver in software, beside Chromium. */
const FILES = ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json'];

/**
 * The variables with which a process finds SwiftShader, a driver in software, as its WebGPU adapter: out of the npm package
 * @sparticuz/chromium. The dynamic linker reads it when a process starts, so it is for children.
 *
 * @returns `undefined` where there is none for this platform.
 */
export async function swiftshaderEnvironment(): Promise<Readonly<Record<string, string>> | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const folder = await unpackedChromium();
  if (!FILES.every((file) => existsSync(join(folder, file)))) return undefined;
  return {
    LD_LIBRARY_PATH: folder,
    VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
    XDG_RUNTIME_DIR: folder,
  };
}
