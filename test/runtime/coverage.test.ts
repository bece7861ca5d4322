import { describe, expect, it } from 'vitest';
import { cudaCoverage, measuredOperators } from '../../src/runtime/cuda/coverage.ts';
import { CUDA_KERNELS } from '../../src/runtime/cuda/kernels.ts';

describe('cudaCoverage', () => {
  it.each([
    ['Softmax', 17, 'cuda'],
    ['MaxPool', 21, 'cuda'],
    ['MaxPool', 22, 'cpu'],
    ['Sign', 12, 'cpu'],
    ['Sign', 13, 'cuda'],
    ['SoftmaxCrossEntropyLoss', 13, 'inlined'],
    ['GroupNormalization', 21, 'mixed'],
    ['LSTM', 14, 'constructor-error'],
    ['GreaterOrEqual', 11, 'unmeasured'],
    ['Relu', 27, 'unmeasured'],
    ['ReduceL1', 17, 'cuda'],
    ['Dropout', 22, 'cpu'],
    ['StringNormalizer', 17, 'unmeasured'],
  ] as const)('%s at opset %i: %s', (operator, opset, status) => {
    expect(cudaCoverage(operator, opset).status).toBe(status);
  });

  it('tells dtypes and variants apart', () => {
    expect(cudaCoverage('OneHot', 13, 'float64').status).toBe('throws');
    expect(cudaCoverage('ReduceL2', 18, 'bfloat16').status).toBe('inlined');
    expect(cudaCoverage('ReduceL2', 19, 'bfloat16').status).toBe('throws');
    expect(cudaCoverage('OneHot', 13, 'bfloat16').status).toBe('not-in-onnx');
    expect(cudaCoverage('Relu', 13, 'int8').status).toBe('unmeasured');
    expect(cudaCoverage('BatchNormalization', 15).status).toBe('cuda');
    expect(cudaCoverage('BatchNormalization', 15, 'float32', 'training_mode=1').status).toBe('constructor-error');
    expect(cudaCoverage('ReduceL1', 13, 'float16').status).toBe('unmeasured');
    expect(cudaCoverage('BatchNormalization', 15, 'float32', 'none').note).toContain(
      'only BatchNormalization[training_mode=1]',
    );
  });

  it('reads every cell of its table', () => {
    expect(new Set(measuredOperators()).size).toBe(CUDA_KERNELS.length);
    for (const [key, ...cells] of CUDA_KERNELS) {
      const [, operator = '', variant] = /^(\w+)(?:\[(.*)\])?$/.exec(key) ?? [];
      for (const [column, dtype] of (['float32', 'float16', 'bfloat16', 'float64'] as const).entries()) {
        const last = Number(/(\d+)$/.exec(cells[column] ?? '')?.[1] ?? 26);
        const { status, note } = cudaCoverage(operator, last, dtype, variant);
        expect(status === 'unmeasured', `${key} ${dtype} ${note}`).toBe(cells[column] === '');
      }
    }
  });
});
