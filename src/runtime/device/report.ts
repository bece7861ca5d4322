import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import type { SearchPath } from './libraries.ts';

/** One check. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do; empty if all is well. */
  readonly hint: string;
}

/** Whether a provider computes correct numbers on this machine, with all findings. */
export interface ProviderReport {
  readonly provider: 'cpu' | 'cuda' | 'webgpu';
  readonly works: boolean;
  /** In order of dependency: fix the first one that is not ok first. */
  readonly findings: readonly Finding[];
}

/** Overrides for this machine's locations. */
export interface DiagnoseOptions {
  /** The folder of an onnxruntime-node package. */
  readonly runtime?: string;
  readonly search?: SearchPath;
  readonly devices?: string;
  /** As in `process`: `linux x64`. */
  readonly platform?: string;
}

/** The version of the onnxruntime-node package in a folder. */
export function packageVersion(runtime: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(runtime, 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version);
  throw new LossgraftError({
    code: 'no-version',
    where: join(runtime, 'package.json'),
    expected: 'a version',
    found: 'none',
    hint: 'Install onnxruntime-node again',
  });
}
