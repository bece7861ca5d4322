import { createEmitter, type Emitter, int, ints, type Value } from '../../emit/index.ts';
import { LossgraftError } from '../../errors.ts';
import { graphEdit } from '../../ir/edit.ts';
import { Graph } from '../../ir/graph.ts';
import { toNumbers } from '../../numbers.ts';
import { blankModel, editedBytes } from '../../onnx/index.ts';
import { runIsolated } from '../../runtime/device/isolated.ts';
import { openSession } from '../../runtime/session.ts';
import { type Adapter, LOADER_LOG, readAdapter } from '../../runtime/webgpu/adapter.ts';
import { driverManifests } from '../../runtime/webgpu/diagnose.ts';
import { explainWebgpu } from '../../runtime/webgpu/guard.ts';
import { elementCount } from '../../tensor.ts';
import { addToCache, cacheFile, machineKey, readCache } from '../machineCache.ts';

/** What WebGPU is on this machine. */
export interface WebgpuMachine {
  readonly adapter: Adapter;
  /** Which output of the self-test is wrong, and by how much; `null` where all are right. */
  readonly wrong: string | null;
}

export interface WebgpuMachineOptions {
  /** Where findings are cached. Default: under XDG_CACHE_HOME, or ~/.cache. */
  readonly cache?: string;
}

/** Drivers that are tried in turns. */
const KEPT = 8;

/**
 * Runs operators that some version or driver computes wrong, in a process of its own, and holds them against the CPU: once for each
 * version, machine and set of drivers.
 *
 * @throws LossgraftError `webgpu-unavailable`, saying what is missing.
 */
export async function webgpuMachine(options: WebgpuMachineOptions = {}): Promise<WebgpuMachine> {
  const file = options.cache ?? cacheFile('webgpu.json');
  const key = `${machineKey()}, ${driverManifests().join(', ') || process.platform}`;
  const known = readCache<WebgpuMachine>(file)[key];
  if (known) return known;
  const found = await selfTest();
  addToCache(file, key, found, KEPT);
  return found;
}

const TOLERANCE = 1e-3;

async function selfTest(): Promise<WebgpuMachine> {
  const { model, feeds } = trapModel();
  const { outputs, error, log } = await runIsolated({ model, feeds, provider: 'webgpu', environment: LOADER_LOG });
  if (outputs === undefined) throw await explainWebgpu('self-test of WebGPU', new Error(error));
  const cpu = await openSession(model, { name: 'self-test of WebGPU' });
  const tensors = Object.entries(feeds).map(([name, { dims, data }]) => {
    return [name, { dtype: 'float32', dims, data: Float32Array.from(data) }] as const;
  });
  const expected = await cpu.run(Object.fromEntries(tensors)).finally(() => cpu.close());
  const apart = Object.entries(expected).map(([name, tensor]) => {
    const differences = toNumbers(tensor).map((want, i) => Math.abs(want - (outputs[name]?.[i] ?? Number.NaN)));
    return { name, worst: differences.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...differences) };
  });
  const bad = apart.find(({ worst }) => worst > TOLERANCE);
  return { adapter: readAdapter(log), wrong: bad ? `${bad.name}, by ${bad.worst.toPrecision(2)}` : null };
}

type Feeds = Record<string, { readonly dims: readonly number[]; readonly data: readonly number[] }>;

/** Convolutions whose channels are not a multiple of 4, strides, groups, a product, a softmax: each of an input of its own. */
export function trapModel(): { readonly model: Uint8Array; readonly feeds: Feeds } {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const feeds: Feeds = {};
  const input = (dims: readonly number[]): Value => {
    const value = graph.define(`x${Object.keys(feeds).length}`, 'float32', dims);
    graph.inputs.push(value);
    const data = Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i * 1.7 + dims.length));
    feeds[value.name] = { dims, data };
    return value;
  };
  for (const [name, value] of traps(op, input)) {
    const output = graph.define(name, 'float32', value.shape);
    graph.addNode({ opType: 'Identity', inputs: [value], outputs: [output] });
    graph.outputs.push(output);
  }
  const blank = blankModel(17, 'self-test');
  return { model: editedBytes(blank, graphEdit(blank, graph)), feeds };
}

function traps(op: Emitter, input: (dims: readonly number[]) => Value): Map<string, Value> {
  const conv = (x: readonly number[], w: readonly number[], stride: number, group = 1, type = 'Conv'): Value => {
    const attributes = { kernel_shape: ints(w.slice(2)), strides: ints([stride, stride]), group: int(group) };
    return op.call(type, [input(x), input(w)], { attributes, shape: [undefined, undefined, undefined, undefined] });
  };
  return new Map([
    ['Conv of 6 channels', conv([2, 6, 5, 5], [4, 6, 3, 3], 1)],
    ['Conv of 9 channels with a stride', conv([2, 9, 5, 5], [8, 9, 1, 1], 2)],
    ['Conv by groups', conv([2, 6, 5, 5], [6, 3, 3, 3], 1, 2)],
    ['ConvTranspose by groups', conv([2, 6, 4, 4], [6, 1, 3, 3], 2, 2, 'ConvTranspose')],
    ['MatMul', op.matMul(input([7, 9]), input([9, 5]))],
    ['Softmax', op.softmax(input([5, 7]), -1)],
    ['Exp', op.exp(input([3, 5]))],
  ]);
}

/** The error for a driver that computes wrong numbers. */
export function wrongNumbers(wrong: string): LossgraftError {
  return new LossgraftError({
    code: 'webgpu-disagrees',
    where: 'self-test of WebGPU',
    expected: "the CPU's numbers",
    found: `another result of ${wrong}`,
    hint: 'Update the driver, or run with the provider cpu',
  });
}
