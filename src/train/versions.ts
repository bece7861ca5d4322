import { runtimeFolder } from '../runtime/device/isolated.ts';
import { packageVersion } from '../runtime/device/report.ts';
import { VERSION } from '../version.ts';

/** The versions a run depends on, for its page and its record. */
export function versions(): Readonly<Record<string, string>> {
  return {
    lossgraft: VERSION,
    'onnxruntime-node': packageVersion(runtimeFolder()),
    'Node.js': process.versions.node,
    system: `${process.platform} ${process.arch}`,
  };
}
