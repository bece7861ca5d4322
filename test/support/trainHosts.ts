import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Model, open } from '../../src/index.ts';
import { onnx } from '../onnx/models.ts';

type Node = NonNullable<Parameters<typeof onnx.NodeProto.create>[0]>;
type ValueInfo = NonNullable<Parameters<typeof onnx.ValueInfoProto.create>[0]>;
type Attribute = NonNullable<Parameters<typeof onnx.AttributeProto.create>[0]>;

/** `Gemm(x, w, b) -> y`, with attributes where it has some. */
type Line = readonly [call: string, ...attributes: Attribute[]];

export interface HostSpec {
  readonly lines: readonly Line[];
  /** Dimensions of float32 weights; their elements are small and all different. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly integers?: Readonly<Record<string, readonly number[]>>;
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs?: readonly string[];
  readonly opset?: number;
}

/** A small classifier that onnx-proto writes, opened; it goes when the test ends. Nodes are named after their results. */
export async function trainHost(spec: HostSpec): Promise<Model> {
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
  const path = join(folder, 'host.onnx');
  writeFileSync(path, bytesOf(spec));
  const model = await open(path);
  onTestFinished(() => {
    model.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return model;
}

/** x [N, 4] → MatMul w1 → Relu → what `between` makes of h → MatMul w2 → logits [N, 3]. */
export function mlp(between: readonly Line[] = [], more: Partial<HostSpec> = {}): HostSpec {
  const last = between.length === 0 ? 'h' : (/-> (\w+)$/.exec(between.at(-1)?.[0] ?? '')?.[1] ?? 'h');
  const lines: Line[] = [['MatMul(x, w1) -> a'], ['Relu(a) -> h'], ...between, [`MatMul(${last}, w2) -> logits`]];
  return { lines, ...more, weights: { w1: [4, 4], w2: [4, 3], ...more.weights } };
}

function bytesOf({ lines, weights, integers = {}, inputs = {}, outputs = [], opset = 17 }: HostSpec): Uint8Array {
  const model = onnx.ModelProto.create({
    irVersion: opset > 21 ? 10 : 8,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'host',
      node: lines.map(nodeOf),
      initializer: [
        ...Object.entries(weights).map(([name, dims]) => ({
          name,
          dims: [...dims],
          dataType: 1,
          floatData: spread(dims),
        })),
        ...Object.entries(integers).map(([name, values]) => ({
          name,
          dims: [values.length],
          dataType: 7,
          int64Data: [...values],
        })),
      ],
      input: Object.entries({ x: ['N', 4], ...inputs }).map(([name, dims]) => infoOf(name, dims)),
      output: ['logits', ...outputs].map((name) => infoOf(name, ['N', 3])),
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

export function nodeOf([call, ...attribute]: Line): Node {
  const [, opType = '', input = '', output = ''] = /^(\w+)\((.*)\) -> (.*)$/.exec(call) ?? [];
  const names = (text: string) => text.split(/, ?/);
  return { name: `${output}_node`, opType, input: names(input), output: names(output), attribute };
}

export function infoOf(name: string, dims: readonly (number | string)[]): ValueInfo {
  const dim = dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType: 1, shape: { dim } } } };
}

function spread(dims: readonly number[]): number[] {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length: count }, (_, i) => Math.sin(i * 1.3 + count) / 2);
}
