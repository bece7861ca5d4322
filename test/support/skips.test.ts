import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './cli.ts';

const CONFIG = join(import.meta.dirname, 'skipped/vitest.config.ts');

function run(
  env: Readonly<Record<string, string>>,
  ...more: readonly string[]
): { status: number | null; lines: string[] } {
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', CONFIG, ...more];
  const { status, stdout } = spawnSync(process.execPath, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
  return { status, lines: stdout.split('\n').map((line) => line.trim()) };
}

it.each([
  [{ CI: '' }, 0, '4 skipped. They need'],
  [{ CI: 'true' }, 1, '4 skipped, which with CI=true is a failure. They need'],
])('the end of a run says what was skipped, for which reason: %j', (env, expected, head) => {
  const { status, lines } = run(env);
  const at = lines.indexOf(head);
  expect(lines.slice(at, at + 4)).toEqual([head, '2  a judge', '1  another', '1  a note']);
  expect(status).toBe(expected);
});

it('tests whose names were not asked for are not skipped', () => {
  expect(run({ CI: 'true' }, '--testNamePattern', 'runs')).toEqual({ status: 0, lines: [''] });
});
