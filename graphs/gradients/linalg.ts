import { binary, type GradientContext, type GradientRule } from '../../src/contract.ts';
import { floatAttribute, intAttribute } from '../../src/emit/index.ts';
import { exact } from '../support/shapes.ts';
import { einsumGradient } from './support/einsums.ts';
import { matrixGradients } from './support/matrices.ts';

/** y = ab, batched and with vectors as in numpy: da = dy bᵀ, db = aᵀ dy. */
export const MatMul: GradientRule = binary(({ op, node, a, b, dy }) => matrixGradients(op, node, a, b, dy));

/** y = α a'b' + β c, where a' and b' are a and b or their transposes. */
export const Gemm: GradientRule = exact(
  (context) => {
    const { op, node, input, inputs, dy } = context;
    const [a, b] = [input(0), input(1)];
    const alpha = floatAttribute(node, 'alpha', 1);
    const [transA, transB] = [flag(context, 'transA'), flag(context, 'transB')];
    const da = transA
      ? op.gemm(b, dy, { alpha, transA: transB, transB: true })
      : op.gemm(dy, b, { alpha, transB: !transB });
    const db = transB
      ? op.gemm(dy, a, { alpha, transA: true, transB: transA })
      : op.gemm(a, dy, { alpha, transA: !transA });
    const beta = floatAttribute(node, 'beta', 1);
    return inputs[2] ? [da, db, beta === 1 ? dy : op.mul(dy, beta)] : [da, db];
  },
  (i) => i < 2,
);

/** da contracts dy with b, and db dy with a. */
export const Einsum: GradientRule = einsumGradient;

function flag({ node }: GradientContext, name: string): boolean {
  return intAttribute(node, name, 0) !== 0;
}
