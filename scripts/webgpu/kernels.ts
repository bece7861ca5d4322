/**
 * `npm run measure:webgpu -- FOLDER`: runs the models of kernelCases.py on WebGPU and writes src/runtime/webgpu/kernels.ts. Without a
 * GPU it runs on SwiftShader. A model that ends the process is noted, and the next process goes on behind it.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toNumbers } from '../../src/numbers.ts';
import { readProfile } from '../../src/runtime/device/profile.ts';
import { openSession, runtimeVersion } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { swiftshaderEnvironment } from '../../test/support/swiftshader.ts';

interface Feed {
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly data: readonly string[];
}

interface Case {
  readonly name: string;
  readonly opset: number;
  readonly dtype: 'float32' | 'int32' | 'int64';
  readonly allowed?: boolean;
  readonly tries: readonly { readonly file: string; readonly feeds: Readonly<Record<string, Feed>> }[];
}

const LAST = 26;
/** Of the largest number of an output. */
const TOLERANCE = 1e-3;
const [, self = '', folder = ''] = process.argv;
const results = join(folder, 'results.jsonl');
const { onnx, cases }: { onnx: string; cases: readonly Case[] } = JSON.parse(
  readFileSync(join(folder, 'cases.json'), 'utf8'),
);

const KINDS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array };

function tensorOf({ dtype, dims, data }: Feed): Tensor {
  if (dtype === 'int64') return { dtype, dims, data: BigInt64Array.from(data, BigInt) };
  if (!(dtype in KINDS)) throw new Error(`no feeds of ${dtype}`);
  const numbers = data.map((text) =>
    text === 'True' ? 1 : text === 'False' ? 0 : Number(text.replace('inf', 'Infinity')),
  );
  return { dtype: dtype as 'float32', dims, data: KINDS[dtype as 'float32'].from(numbers) };
}

async function statusOf({ name, allowed, tries }: Case): Promise<string> {
  if (!allowed) return 'not-in-onnx';
  let last = '';
  for (const { file, feeds: given } of tries) {
    last = await tried(name.replace(/\[.*/, ''), join(folder, file), given).catch(() => '');
    if (last !== '' && last !== 'throws') return last;
  }
  return last;
}

async function tried(op: string, model: string, given: Readonly<Record<string, Feed>>): Promise<string> {
  const feeds = Object.fromEntries(Object.entries(given).map(([name, feed]) => [name, tensorOf(feed)]));
  const cpu = await openSession(model, { optimization: 'off' });
  const expected = await cpu.run(feeds).finally(() => cpu.close());
  const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-kernels-'));
  try {
    const session = await openSession(model, { provider: 'webgpu', optimization: 'off', profile: join(scratch, 'p') });
    const found = await session.run(feeds);
    const nodes = (await readProfile(await session.endProfiling())).filter((node) => !node.op.startsWith('Memcpy'));
    await session.close();
    const strays = nodes.filter(({ provider }) => provider !== 'WebGpuExecutionProvider').map((node) => node.op);
    if (nodes.length === 0) return '';
    if (strays.length === nodes.length) return 'cpu';
    if (strays.length > 0) return `mixed(${[...new Set(strays)].sort().join(',')})`;
    if (!Object.entries(expected).every(([name, want]) => isNear(found[name], want))) return 'wrong';
    return nodes.some((node) => node.op === op) ? 'webgpu' : 'inlined';
  } catch {
    return 'throws';
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function isNear(found: Tensor | undefined, expected: Tensor): boolean {
  if (!found || found.dims.join() !== expected.dims.join()) return false;
  const [got, want] = [toNumbers(found), toNumbers(expected)];
  const largest = Math.max(1e-6, ...want.map(Math.abs).filter(Number.isFinite));
  return want.every(
    (value, i) =>
      Object.is(value, got[i]) || value === got[i] || Math.abs(value - (got[i] ?? NaN)) <= TOLERANCE * largest,
  );
}

function done(): string[] {
  return existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').filter(Boolean) : [];
}

async function measure(): Promise<void> {
  for (const each of cases.slice(done().length)) {
    appendFileSync(results, `${JSON.stringify({ ...each, tries: undefined, status: await statusOf(each) })}\n`);
  }
}

async function inChildren(): Promise<void> {
  const env = { ...process.env, ...(await swiftshaderEnvironment()), LOSSGRAFT_KERNELS: '1' };
  while (done().length < cases.length) {
    const child = spawn(process.execPath, [...process.execArgv, self, folder], { env, stdio: 'inherit' });
    await new Promise((resolve) => child.on('exit', resolve));
    const at = done().length;
    if (at >= cases.length) break;
    appendFileSync(results, `${JSON.stringify({ ...cases[at], tries: undefined, status: 'crashes' })}\n`);
  }
}

type Row = Record<Case['dtype'], string[]>;

/** `webgpu 11-12; cpu 13-26`. */
function tableText(): string {
  const rows = new Map<string, Row>();
  const found: (Case & { status: string })[] = done().map((line) => JSON.parse(line));
  for (const [i, { name, dtype, opset, status }] of found.entries()) {
    const next = found
      .slice(i + 1)
      .find((other) => other.name === name && other.dtype === dtype && other.opset > opset);
    const row = rows.get(name) ?? { float32: [], int32: [], int64: [] };
    rows.set(name, row);
    if (status === '') continue;
    const until = (next?.opset ?? LAST + 1) - 1;
    const [, before, from, to] = /^(.*) (\d+)-(\d+)$/.exec(row[dtype].at(-1) ?? '') ?? [];
    if (before === status && Number(to) === opset - 1) row[dtype].splice(-1, 1, `${status} ${from}-${until}`);
    else row[dtype].push(`${status} ${opset}-${until}`);
  }
  const cell = (parts: readonly string[]): string =>
    `'${parts
      .join('; ')
      .replaceAll(/\b(\d+)-\1\b/g, '$1')
      .replace(/^not-in-onnx 11-26$/, 'not-in-onnx')}'`;
  return [...rows]
    .map(([name, row]) => `  ['${name}', ${[row.float32, row.int32, row.int64].map(cell).join(', ')}],`)
    .join('\n');
}

function write(): void {
  const day = new Date().toISOString().slice(0, 10);
  const text = `/** Operator (with its variant in brackets), then float32, int32, int64: status and opsets, as \`webgpu 11-21; cpu 22-26\`. */
export type WebgpuKernelRow = readonly [operator: string, float32: string, int32: string, int64: string];

/**
 * Where ONNX Runtime ${runtimeVersion}'s WebGPU provider puts each operator, opsets 11 to 26, and whether its numbers are the CPU's. Measured on
 * ${day} by scripts/webgpu/kernels.ts on SwiftShader, which has no float16: one-node models out of onnx ${onnx}'s backend test, at each opset
 * that changed the operator, optimization off, layout NCHW. An operator without a type of its own, such as And, is under float32.
 */
export const WEBGPU_KERNELS: readonly WebgpuKernelRow[] = [
${tableText()}
];
`;
  writeFileSync(fileURLToPath(new URL('../../src/runtime/webgpu/kernels.ts', import.meta.url)), text);
}

if (process.env.LOSSGRAFT_KERNELS) await measure();
else {
  await inChildren();
  write();
}
