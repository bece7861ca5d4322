import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { optimizers } from '../../graphs/index.ts';
import { type Form, open, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { SINCE } from '../../src/transform/adapters/history.ts';
import { arraysOf, findNetworks, type Network } from '../support/networks.ts';
import { type OnnxFile, readOnnx } from '../support/onnxFile.ts';
import { findTrajectories } from '../support/trajectories.ts';

const FORMS = ['step', 'loop', 'split'] as const;
const networks = findNetworks().map((network) => [network.name, network] as const);

/** The files of one form as an outside decoder reads them, the model that they were made from, and what PyTorch has a gradient of. */
interface Made {
  readonly state: ReadonlyMap<string, Tensor>;
  readonly host: OnnxFile;
  readonly files: ReadonlyMap<string, OnnxFile>;
  readonly params: readonly string[];
  readonly statistics: readonly string[];
}

const made = new Map<string, Promise<Made>>();

function make(network: Network, form: Form, options: Partial<TrainGraphOptions> = {}): Promise<Made> {
  const key = JSON.stringify([network.name, form, options]);
  const known = made.get(key) ?? makeOnce(network, form, options);
  made.set(key, known);
  return known;
}

async function makeOnce(network: Network, form: Form, options: Partial<TrainGraphOptions>): Promise<Made> {
  const expected = Object.keys(await arraysOf(network.reference));
  const ending = (suffix: string) =>
    expected.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  const model = await open(network.model);
  try {
    const batchNorm = network.mode === 'train' ? 'train' : 'frozen';
    const parts = form === 'split' && batchNorm === 'train' ? { batchNormPerWorker: true } : {};
    const graph = await trainGraph(model, {
      ...network.augment,
      trainable: 'all',
      batchNorm,
      form,
      ...parts,
      ...options,
    });
    return {
      state: graph.initialState(),
      host: readOnnx(readFileSync(network.model)),
      files: new Map([...graph.bytes()].map(([name, bytes]) => [name, readOnnx(bytes)])),
      params: ending('.grad'),
      statistics: ending('.next'),
    };
  } finally {
    model.close();
  }
}

/** Adds an axis in front of a printed type: `float32 [N]` → `float32 [steps, N]`. */
function stacked(types: Readonly<Record<string, string>>): Record<string, string> {
  const lead = (type: string) => type.replace('[]', '[steps]').replace(/\[(?!steps\])/, '[steps, ');
  return Object.fromEntries(Object.entries(types).map(([name, type]) => [name, lead(type)]));
}

function suffixed(names: readonly string[], suffix: string): string[] {
  return names.map((name) => `${name}${suffix}`);
}

describe.each(networks)('%s', (_, network) => {
  it.each(FORMS)('the form %s is standard operators under unique names', async (form) => {
    const { files, host } = await make(network, form);
    expect([...files.keys()]).toEqual(form === 'split' ? ['gradients.onnx', 'apply.onnx'] : ['step.onnx']);
    for (const [name, { nodes, defined, opsets }] of files) {
      expect(nodes.length).toBeGreaterThan(form === 'split' ? 5 : 30);
      expect(new Set(nodes.map(({ domain }) => domain))).toEqual(new Set(['']));
      expect(nodes.filter(({ op }) => !Object.hasOwn(SINCE, op))).toEqual([]);
      expect(opsets, name).toEqual(host.opsets);
      expect(repeated(defined), name).toEqual([]);
      expect(repeated(nodes.map((node) => node.name).filter((node) => node !== '')), name).toEqual([]);
    }
    // Recurrent layers and loops are Scans by themselves.
    if (/lstm|gru|rnn|lengths|long|bag|scan|loop|nested/.test(network.name)) return;
    expect(files.get('step.onnx')?.nodes.some(({ op }) => op === 'Scan') ?? false).toBe(form === 'loop');
  });

  it.each(FORMS)('nothing in the form %s is copied to be an output', async (form) => {
    for (const [, { nodes, outputs }] of (await make(network, form)).files) {
      const copies = nodes.filter(({ op, made }) => op === 'Identity' && made.some((name) => name in outputs));
      expect(copies).toEqual([]);
    }
  });

  it('has the inputs and outputs of a step', async () => {
    const { files, host, params, statistics } = await make(network, 'step');
    const { inputs = {}, outputs = {} } = files.get('step.onnx') ?? {};
    const states = [...params, ...suffixed(params, '.momentum'), ...statistics];
    const own = { labels: inputs.labels, learning_rate: 'float32 []' };
    const { data, rest } = apart(inputs, states);
    expect(data).toEqual({ ...host.inputs, ...own });
    expect(inputs.labels).toMatch(/^int64 \[\w+\]$/);
    expect(Object.keys(rest).sort()).toEqual(states.toSorted());
    expect(outputs).toEqual({
      loss: 'float32 []',
      ...Object.fromEntries(states.map((name) => [`${name}.next`, inputs[name]])),
    });
    for (const name of params) expect(inputs[`${name}.momentum`], name).toBe(inputs[name]);
  });

  it('has a leading axis in the loop form, on data, labels, learning rate and loss alone', async () => {
    const step = (await make(network, 'step')).files.get('step.onnx');
    const { files, params, statistics } = await make(network, 'loop');
    const { inputs = {}, outputs = {} } = files.get('step.onnx') ?? {};
    const states = [...params, ...suffixed(params, '.momentum'), ...statistics];
    const single = apart(step?.inputs ?? {}, states);
    const many = apart(inputs, states);
    expect(many.data).toEqual(stacked(single.data));
    expect(many.rest).toEqual(single.rest);
    expect(outputs).toEqual({ ...step?.outputs, loss: 'float32 [steps]' });
  });

  it('has gradients between the two files of the split form', async () => {
    const { files, host, params, statistics } = await make(network, 'split');
    const [gradients, apply] = [files.get('gradients.onnx'), files.get('apply.onnx')];
    expect(Object.keys(gradients?.inputs ?? {}).sort()).toEqual(
      [...Object.keys(host.inputs), 'labels', ...params, ...statistics].sort(),
    );
    expect(Object.keys(gradients?.outputs ?? {}).sort()).toEqual(
      ['loss', ...suffixed(params, '.grad'), ...suffixed(statistics, '.next')].sort(),
    );
    const slots = suffixed(params, '.momentum');
    expect(Object.keys(apply?.inputs ?? {}).sort()).toEqual(
      ['learning_rate', ...params, ...suffixed(params, '.grad'), ...slots].sort(),
    );
    expect(Object.keys(apply?.outputs ?? {}).sort()).toEqual(suffixed([...params, ...slots], '.next').sort());
    for (const name of params) expect(apply?.inputs[`${name}.grad`], name).toBe(gradients?.outputs[`${name}.grad`]);
  });

  it('starts from the weights in the file', async () => {
    const { state, host, params, statistics } = await make(network, 'step');
    const slots = suffixed(params, '.momentum');
    expect([...state.keys()].sort()).toEqual([...params, ...slots, ...statistics].sort());
    const found: string[] = [];
    const tied = mergedTensors(network);
    for (const [name, tensor] of state) {
      const numbers = toNumbers(tensor);
      const weights = host.weights.get(tied.get(name) ?? name);
      if (slots.includes(name)) expect(Math.max(...numbers.map(Math.abs)), name).toBe(0);
      else if (weights) {
        expect(numbers, name).toEqual(weights);
        found.push(name);
      }
    }
    expect(found).toHaveLength(params.length + statistics.length);
  });
});

/** Names that the exporter merged into one tensor, with that tensor's. */
function mergedTensors({ folder }: Network): Map<string, string> {
  const { ties = {} } = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as {
    ties?: Record<string, string[]>;
  };
  return new Map(Object.entries(ties).flatMap(([tensor, names]) => names.map((name) => [name, tensor])));
}

function apart(types: Readonly<Record<string, string>>, states: readonly string[]) {
  const entries = Object.entries(types);
  return {
    data: Object.fromEntries(entries.filter(([name]) => !states.includes(name))),
    rest: Object.fromEntries(entries.filter(([name]) => states.includes(name))),
  };
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.has(name) || !seen.add(name));
}

describe('slots', () => {
  const [, network] = networks.find(([name]) => name.startsWith('mlp')) ?? [];
  const cases = [
    [{ optimizer: 'sgd', momentum: 0 }, []],
    [{ optimizer: 'sgd', dampening: 0.1 }, ['momentum', 'step']],
    [{ optimizer: 'adam' }, ['exp_avg', 'exp_avg_sq', 'step']],
    [{ optimizer: 'adamw', clipNorm: 1, noDecayForVectors: true }, ['exp_avg', 'exp_avg_sq', 'step']],
    [{ optimizer: 'adamw', accumulate: 4 }, ['exp_avg', 'exp_avg_sq', 'step', 'accumulated']],
  ] as const;

  it.each(cases)('of %j are called as they should be', async (options, slots) => {
    if (!network) throw new Error('no mlp');
    const { files, params } = await make(network, 'step', options);
    const { inputs = {}, outputs = {} } = files.get('step.onnx') ?? {};
    const counter = 'accumulate' in options ? ['lossgraft.micro_batch'] : [];
    const states = [...params, ...params.flatMap((name) => slots.map((slot) => `${name}.${slot}`)), ...counter];
    expect(Object.keys(apart(inputs, states).rest).sort()).toEqual(states.toSorted());
    expect(Object.keys(apart(inputs, states).data).sort()).toEqual(['labels', 'learning_rate', 'x']);
    expect(Object.keys(outputs).sort()).toEqual(['loss', ...suffixed(states, '.next')].sort());
    for (const name of states.filter((state) => state.endsWith('.step'))) expect(inputs[name]).toBe('float32 []');
  });

  it('and steps of PyTorch are there for every optimizer of the catalogue', () => {
    const all = new Set(Object.keys(optimizers));
    expect(new Set(cases.map(([{ optimizer }]) => optimizer))).toEqual(all);
    expect(new Set(findTrajectories().map(({ options }) => options.optimizer))).toEqual(all);
  });
});
