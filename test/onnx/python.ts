import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestOptions } from 'vitest';
import { needs } from '../support/needs.ts';

/** Debian's own Python, since its package python3-onnx is the outside judge here; LOSSGRAFT_PYTHON names another one. */
export const PYTHON: string = process.env.LOSSGRAFT_PYTHON ?? '/usr/bin/python3';

/** Whether Python can import `modules`. */
export function pythonHas(modules: string): boolean {
  return spawnSync(PYTHON, ['-c', `import ${modules}`]).status === 0;
}

/** For tests that Python judges. */
export function needsPython(modules: string, isThere: boolean = pythonHas(modules)): TestOptions {
  return needs(isThere, `${modules} for Python: Debian's python3-onnx, or let LOSSGRAFT_PYTHON name a Python with it`);
}

/** Debian's onnx is older than its reference evaluator: LOSSGRAFT_PYTHON has to name a newer one. */
export const hasReference: boolean = process.env.LOSSGRAFT_PYTHON !== undefined && pythonHas('onnx.reference');

/** For tests that onnx's reference evaluator judges. */
export const needsReference: TestOptions = needs(
  hasReference,
  'a Python with onnx.reference: let LOSSGRAFT_PYTHON name one',
);

/** The .onnx or .pb files of Debian's libonnx-testdata. */
export function testdata(extension: string): string[] {
  const { stdout } = spawnSync('dpkg', ['-L', 'libonnx-testdata'], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return (stdout ?? '').split('\n').filter((file) => file.endsWith(extension));
}

/** For tests over the models of libonnx-testdata. */
export function needsTestdata(files: readonly string[]): TestOptions {
  return needs(files.length > 0, "Debian's libonnx-testdata");
}

/** Runs one of this folder's scripts; gives what it prints. */
export function python(script: string, input: string, args: readonly string[] = []): string {
  const options = { input, encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  const { status, stdout, stderr } = spawnSync(PYTHON, [join(import.meta.dirname, script), ...args], options);
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}
