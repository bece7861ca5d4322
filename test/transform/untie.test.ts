import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { open } from '../../src/model.ts';
import { checkEdit, editedBytes } from '../../src/onnx/index.ts';
import { mergedNotes, untie } from '../../src/transform/untie.ts';
import { onnx } from '../onnx/models.ts';
import { arraysOf, NETWORKS } from '../support/networks.ts';
import { modelOf, results } from './oldModels.ts';

async function networkOf(name: string) {
  const folder = join(NETWORKS, name);
  const model = await open(join(folder, 'model.onnx'));
  const graph = buildGraph(model.proto);
  return { folder, model, graph };
}

describe('untie', () => {
  it('gives every parameter that PyTorch merged its own name and elements again', async () => {
    const { folder, model, graph } = await networkOf('ties/torchscript-opset17-eval-unfolded');
    const { untied, notes } = untie(graph);
    const names = [
      'bn1.bias',
      'bn1.running_mean',
      'bn1.running_var',
      'bn2.bias',
      'bn2.running_mean',
      'bn2.running_var',
    ];
    expect(untied.map(({ name }) => name).sort()).toEqual(
      [...names, 'bn2.weight', 'conv2.bias', 'fc1.bias', 'fc2.bias'].sort(),
    );
    expect(untied.find(({ name }) => name === 'fc1.bias')).toEqual({
      parameter: 'conv1.bias',
      name: 'fc1.bias',
      readers: ['node "/fc1/Gemm" (Gemm)'],
    });
    expect(notes[0]).toMatch(/^10 parameters that the exporter had merged/);
    const edit = graphEdit(model.proto, graph);
    checkEdit(model.proto, edit);
    const bytes = editedBytes(model.proto, edit);
    const { images } = await arraysOf(join(folder, 'reference.npz'));
    if (!images) throw new Error('no images');
    const { graph: written } = modelOf(bytes).proto;
    expect(written.nodes.filter(({ opType }) => opType === 'Identity')).toEqual([]);
    expect(new Set(written.initializers.map((tensor) => tensor.name)).size).toBe(18);
    expect(await results(bytes, [images])).toEqual(await results(join(folder, 'model.onnx'), [images]));
    model.close();
  });

  it('leaves shared weights shared, and models without ties byte for byte', async () => {
    for (const name of ['shared/torchscript-opset17-eval', 'resnet/torchscript-opset17-train']) {
      const { model, graph } = await networkOf(name);
      expect(untie(graph)).toEqual({ untied: [], notes: [] });
      expect(graphEdit(model.proto, graph)).toMatchObject({ removals: [], initializers: [], replacements: [] });
      model.close();
    }
  });

  it('leaves an Identity alone that gives an output of the model', async () => {
    const { model, graph } = await networkOf('ties/torchscript-opset17-eval-unfolded');
    graph.outputs.push(graph.value('fc1.bias'));
    expect(untie(graph).untied.map(({ name }) => name)).not.toContain('fc1.bias');
    model.close();
  });
});

describe('parameters merged without a trace', () => {
  const ones = Array(4).fill(1);
  const layerNorm = (name: string, input: string, scale: string) => ({
    opType: 'LayerNormalization',
    name,
    input: [input, scale, 'b'],
    output: [name],
  });
  const notesOf = (scale: number[], bias: number[]): string[] => {
    const info = (name: string) => ({
      name,
      type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'n' }, { dimValue: 4 }] } } },
    });
    const bytes = onnx.ModelProto.encode({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name: 'g',
        node: [layerNorm('one', 'x', 's'), layerNorm('two', 'one', 's')],
        initializer: [
          { name: 's', dataType: 1, dims: [4], floatData: scale },
          { name: 'b', dataType: 1, dims: [4], floatData: bias },
        ],
        input: [info('x')],
        output: [info('two')],
      },
    }).finish();
    const model = modelOf(bytes);
    return mergedNotes(model, buildGraph(model.proto));
  };

  it('are named, since training moves them as one', () => {
    expect(notesOf(ones, [0, 0, 0, 0])).toEqual([
      '2 parameters hold one number throughout and serve several places ("s" in 2), and are trained as one. Parameters that should ' +
        'move apart need an export with dynamo=False, or one made after some training',
    ]);
  });

  it('are shared on purpose where tensors of different elements are shared, too', () => {
    expect(notesOf(ones, [0, 0.5, 0, 0])).toEqual([]);
    expect(notesOf([1, 2, 1, 1], [0, 0.5, 0, 0])).toEqual([]);
  });
});
