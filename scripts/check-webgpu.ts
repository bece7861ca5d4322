/**
 * `npm run check:webgpu -- [PATTERN]`: computes gradient rules, losses and training steps on WebGPU and holds them against float64 and the
 * CPU. Without a GPU it runs on SwiftShader, a driver in software from npm.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diagnoseWebgpu } from '../src/runtime/webgpu/diagnose.ts';
import { swiftshaderEnvironment } from '../test/support/swiftshader.ts';
import { excuseOf } from './webgpu/exceptions.ts';
import { checkLosses } from './webgpu/losses.ts';
import { checkNetworks } from './webgpu/networks.ts';
import { checkRules } from './webgpu/rules.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CHILD = 'LOSSGRAFT_WEBGPU_CHECK';

/** Runs this script again where an adapter is found. */
async function inChild(): Promise<number> {
  const { works } = await diagnoseWebgpu();
  const env = works ? {} : await swiftshaderEnvironment();
  if (env === undefined) throw new Error('no WebGPU adapter here, and no SwiftShader for this platform');
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...env, [CHILD]: '1' },
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

async function* chain<T>(...sources: AsyncGenerator<T>[]): AsyncGenerator<T> {
  for (const source of sources) yield* source;
}

async function main(): Promise<number> {
  const only = new RegExp(process.argv[2] ?? '');
  const tally = { right: 0, excused: 0, failed: 0 };
  const began = performance.now();
  for await (const { name, problem } of chain(checkLosses(only, ROOT), checkNetworks(only), checkRules(only))) {
    const excuse = problem === undefined ? undefined : excuseOf(name, problem);
    if (problem === undefined) tally.right += 1;
    else if (excuse === undefined) tally.failed += 1;
    else tally.excused += 1;
    if (problem !== undefined)
      console.log(`${excuse === undefined ? 'FAILED ' : 'excused'} ${name}: ${problem}${excuse ? ` (${excuse})` : ''}`);
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${tally.right} right, ${tally.excused} excused, ${tally.failed} failed, in ${seconds} s`);
  return tally.failed === 0 && tally.right > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await (process.env[CHILD] ? main() : inChild());
