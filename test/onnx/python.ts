import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Debian's own Python, since its package python3-onnx is the outside judge here; LOSSGRAFT_PYTHON names another one. */
const PYTHON = process.env.LOSSGRAFT_PYTHON ?? '/usr/bin/python3';
const HINT = 'install python3-onnx and libonnx-testdata (Debian), or let LOSSGRAFT_PYTHON name a Python with onnx';

/** Whether Python can import `modules`; where CI=true it must, elsewhere the reason for skipping is shown. */
export function pythonHas(modules: string): boolean {
  const { status } = spawnSync(PYTHON, ['-c', `import ${modules}`]);
  return available(status === 0, `${PYTHON} cannot import ${modules}`);
}

/** The .onnx or .pb files of Debian's libonnx-testdata. */
export function testdata(extension: string): string[] {
  const { stdout } = spawnSync('dpkg', ['-L', 'libonnx-testdata'], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const files = (stdout ?? '').split('\n').filter((file) => file.endsWith(extension));
  available(files.length > 0, 'libonnx-testdata is not installed');
  return files;
}

function available(found: boolean, problem: string): boolean {
  if (found) return true;
  if (process.env.CI === 'true') throw new Error(`${problem}: ${HINT}`);
  console.warn(`skipped: ${problem}; ${HINT}`);
  return false;
}

/** Runs one of this folder's scripts; gives what it prints. */
export function python(script: string, input: string, args: readonly string[] = []): string {
  const options = { input, encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  const { status, stdout, stderr } = spawnSync(PYTHON, [join(import.meta.dirname, script), ...args], options);
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}
