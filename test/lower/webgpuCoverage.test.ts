import { describe, expect, it } from 'vitest';
import { inspect, open } from '../../src/index.ts';
import { measuredOnWebgpu, webgpuCoverage } from '../../src/lower/webgpu/coverage.ts';
import { whyNoKernel } from '../../src/runtime/webgpu/needs.ts';

describe('webgpuCoverage', () => {
  it.each([
    ['Conv', 17, 'webgpu'],
    ['MaxPool', 21, 'webgpu'],
    ['MaxPool', 22, 'cpu'],
    ['LSTM', 17, 'webgpu'],
    ['RNN', 17, 'form'],
    ['Celu', 17, 'form'],
    ['LpPool', 17, 'cpu'],
    ['ConvTranspose', 22, 'cpu'],
    ['AffineGrid', 17, 'unmeasured'],
    ['Constant', 17, 'webgpu'],
  ])('of %s at opset %i is %s', (operator, opset, status) => {
    expect(webgpuCoverage(operator, opset).status).toBe(status);
  });

  it('knows types and variants, and says what a form needs', () => {
    expect(webgpuCoverage('Add', 17, 'int64').status).toBe('cpu');
    expect(webgpuCoverage('Add', 17, 'int32').status).toBe('webgpu');
    expect(webgpuCoverage('Relu', 17, 'float16').status).toBe('unmeasured');
    expect(webgpuCoverage('Sqrt', 17, 'int32').status).toBe('not-in-onnx');
    expect(webgpuCoverage('MaxPool', 17, 'float32', '+Indices').status).toBe('throws');
    expect(webgpuCoverage('Cast', 17, 'float32', 'int64 to float').status).toBe('cpu');
    expect(webgpuCoverage('RNN', 17).note).toMatch(/^needs sequences of one known length/);
  });

  it('has each operator once, and a status for every one at some opset', () => {
    const known = measuredOnWebgpu();
    expect(new Set(known).size).toBe(known.length);
    expect(known.length).toBeGreaterThan(150);
  });

  it('is what inspect says of a model', async () => {
    using model = await open('fixtures/digits/model.onnx');
    const { ops } = await inspect(model);
    expect(ops.map(({ op, webgpu }) => [op, webgpu.status])).toContainEqual(['MaxPool', 'webgpu']);
  });

  it('names the opset up to which there is a kernel', () => {
    expect(whyNoKernel(['MaxPool'])).toMatch(/^WebGPU has kernels for MaxPool up to opset 21: export at that opset$/);
    expect(whyNoKernel(['LpPool'])).not.toMatch(/opset/);
  });
});
