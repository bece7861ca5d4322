/**
 * Splicing a node, an initializer and an output into big models, against `cp` and, with `--python PYTHON`, against Python onnx's
 * load + save. Whole processes, in turn; medians of the runs and of the pairwise ratios.
 *
 *   npx tsx bench/splice.ts [--runs 5] [--python /usr/bin/python3] [--folder DIR]
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openFile } from '../src/files/source.ts';
import { encodeNodeFields, scan, writeModel } from '../src/onnx/index.ts';
import { type ByteParts, intField, lenField, partsLength, stringField, varint } from '../src/onnx/wire.ts';

const MIB = 2 ** 20;
const RATIO_LIMIT = 1.5;
const RSS_LIMIT_MB = 120;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    python: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    child: { type: 'string', multiple: true },
  },
});

if (options.child === undefined) benchmark();
else spliceOnce(options.child);

/** What a child process does: one splice; prints milliseconds of the splice itself and its own peak RSS. */
function spliceOnce([input = '', output = '', durable = '']: readonly string[]): void {
  const begin = performance.now();
  const source = openFile(input);
  const model = scan(source);
  const scanned = performance.now() - begin;
  const edit = {
    nodes: [{ name: 'sp', opType: 'Identity', inputs: ['w0'], outputs: ['sp_out'] }],
    initializers: [{ name: 'sp_w', tensor: { dtype: 'float32', dims: [2], data: Float32Array.of(1, 2) } as const }],
    outputs: [{ name: 'sp_out', dtype: 'float32' as const, shape: [MIB * 16] }],
  };
  writeModel(model, edit, output, { durable: durable === 'durable' });
  const total = performance.now() - begin;
  source.close();
  console.log(JSON.stringify({ scanned, total, rss: process.resourceUsage().maxRSS / 1024 }));
}

interface Run {
  readonly wall: number;
  readonly inside: number;
  readonly scanned: number;
  readonly rss: number;
}

function benchmark(): void {
  const folder = mkdtempSync(join(options.folder, 'lossgraft-bench-'));
  const rows: Record<string, string | number>[] = [];
  try {
    for (const [label, bytes] of [
      ['1.0 GB', 1000 * 10 ** 6],
      ['1.9 GB', 1900 * 10 ** 6],
    ] as const) {
      const input = join(folder, 'in.onnx');
      writeBigModel(input, bytes);
      rows.push(...measure(label, input, join(folder, 'out.onnx')));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.table(rows);
  const failed = rows.filter((row) => row.verdict === 'over');
  process.exitCode = failed.length > 0 ? 1 : 0;
}

function measure(label: string, input: string, output: string): Record<string, string | number>[] {
  const splices: Run[] = [];
  const copies: number[] = [];
  const durableSplices: Run[] = [];
  const durableCopies: number[] = [];
  command(['cp', input, output]);
  const acts = [
    () => splices.push(splice(input, output, 'cached')),
    () => copies.push(command(['cp', input, output])),
    () => durableSplices.push(splice(input, output, 'durable')),
    () => durableCopies.push(command(['sh', '-c', 'cp "$0" "$1" && sync "$1"', input, output])),
  ];
  for (let i = 0; i < Number(options.runs); i++) {
    // Each goes first as often as last: what ran before leaves memory in another state.
    for (const act of i % 2 === 0 ? acts : acts.toReversed()) {
      rmSync(output, { force: true });
      act();
    }
  }
  const rows = [
    row(label, 'splice / cp', splices, copies),
    row(label, 'splice with fsync / cp && sync', durableSplices, durableCopies),
  ];
  if (options.python !== undefined) rows.push(pythonRow(label, input, output, options.python, splices));
  return rows;
}

function row(
  label: string,
  what: string,
  runs: readonly Run[],
  copies: readonly number[],
): Record<string, string | number> {
  const ratio = median(runs.map(({ inside }, i) => inside / (copies[i] ?? Number.NaN)));
  const rss = Math.max(...runs.map((run) => run.rss));
  return {
    model: label,
    what,
    'scan ms': round(median(runs.map((run) => run.scanned))),
    'splice ms': round(median(runs.map((run) => run.inside))),
    'process ms': round(median(runs.map((run) => run.wall))),
    'other ms': round(median(copies)),
    ratio: Number(ratio.toFixed(2)),
    'peak RSS MB': round(rss),
    verdict: ratio <= RATIO_LIMIT && rss <= RSS_LIMIT_MB ? 'ok' : 'over',
  };
}

function pythonRow(
  label: string,
  input: string,
  output: string,
  python: string,
  splices: readonly Run[],
): Record<string, string | number> {
  const code =
    'import sys, onnx; m = onnx.load(sys.argv[1]); m.graph.node.add(op_type="Identity"); onnx.save(m, sys.argv[2])';
  rmSync(output, { force: true });
  const wall = command([python, '-c', code, input, output]);
  const inside = median(splices.map((run) => run.inside));
  return {
    model: label,
    what: 'splice / Python onnx load + save (1 run)',
    'splice ms': round(inside),
    'other ms': round(wall),
    ratio: Number((inside / wall).toFixed(3)),
    verdict: inside < wall ? 'ok' : 'over',
  };
}

function splice(input: string, output: string, durable: string): Run {
  const self = fileURLToPath(import.meta.url);
  const begin = performance.now();
  const args = ['--import', 'tsx', self, ...[input, output, durable].flatMap((value) => ['--child', value])];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const wall = performance.now() - begin;
  if (status !== 0) throw new Error(`the splice failed: ${stderr}`);
  const { total, scanned, rss } = JSON.parse(stdout) as { total: number; scanned: number; rss: number };
  return { wall, inside: total, scanned, rss };
}

function command([program = '', ...args]: readonly string[]): number {
  const begin = performance.now();
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  return performance.now() - begin;
}

/** Initializers of 64 MiB raw data each, one node, then the graph's end: what an exporter writes, just big. */
function writeBigModel(path: string, size: number): void {
  const block = Buffer.alloc(64 * MIB, 'lossgraft');
  const blocks = Array.from({ length: Math.ceil(size / block.length) }, (_, i) =>
    block.subarray(0, Math.min(block.length, size - i * block.length)),
  );
  const node = encodeNodeFields([{ name: 'n', opType: 'Identity', inputs: ['w0'], outputs: ['y'] }]);
  const tensor = (data: Uint8Array, i: number): ByteParts => [
    intField(1, data.length / 4),
    intField(2, 1),
    stringField(8, `w${i}`),
    ...lenField(9, [data]),
  ];
  const fields = blocks.map((data, i) => lenField(5, tensor(data, i)));
  const graphLength = node.length + fields.reduce((n, parts) => n + partsLength(parts), 0);
  const fd = openSync(path, 'w');
  const write = (parts: ByteParts): void => {
    for (const part of parts) writeSync(fd, part);
  };
  write([intField(1, 8), varint(7 * 8 + 2), varint(graphLength), node]);
  for (const parts of fields) write(parts);
  write(lenField(8, [intField(2, 17)]));
  closeSync(fd);
  console.log(`${path}: ${statSync(path).size} bytes`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value);
}
