/** `npm run docs:operators`: writes docs/operators.md from the gradient rules, their cases and the table of CUDA kernels. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gradients } from '../graphs/index.ts';
import { noGradient } from '../src/contract.ts';
import { measuredOnWebgpu, webgpuCoverage } from '../src/lower/webgpu/coverage.ts';
import { cudaCoverage, measuredOperators } from '../src/runtime/cuda/coverage.ts';
import { SINCE } from '../src/transform/adapters/history.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The opsets that the table of CUDA kernels covers. */
const MEASURED = { first: 11, last: 26 };

/** What is said of an operator without a rule, where more than that is to be said. */
const REMARKS: Readonly<Record<string, string>> = {
  DequantizeLinear: 'gradients pass straight through it and the QuantizeLinear before it',
  DynamicQuantizeLinear: 'gradients pass straight through it and the DequantizeLinear behind it',
  ConvInteger: 'trained as Conv, with the scaling behind it',
  MatMulInteger: 'trained as MatMul, with the scaling behind it',
  QLinearConv: 'trained as Conv between roundings',
  QLinearMatMul: 'trained as MatMul between roundings',
  QuantizeLinear: 'gradients pass straight through it and the DequantizeLinear behind it',
  If: 'differentiated with its bodies, by no rule',
  Loop: 'differentiated with its bodies, by no rule',
  Scan: 'differentiated with its bodies, by no rule',
  SequenceMap: 'control flow: refused by name on the way to the loss',
  Scatter: 'raised to ScatterElements',
  Upsample: 'raised to Resize',
};

/** The opsets at which the cases of fixtures/gradients run an operator. */
function testedOpsets(root: string): ReadonlyMap<string, readonly number[]> {
  const folder = join(root, 'fixtures/gradients');
  const found = new Map<string, Set<number>>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const { cases }: { cases: { op: string; opset: number }[] } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    for (const { op, opset } of cases) found.set(op, (found.get(op) ?? new Set()).add(opset));
  }
  return new Map([...found].map(([op, opsets]) => [op, [...opsets].sort((a, b) => a - b)]));
}

/** `cuda 11–21, cpu 22–26`, of an operator and of its variants in the table. */
function textOf(operator: string, known: readonly string[], rangesOf: (variant?: string) => string): string {
  const variants = known.flatMap((key) => {
    const [, name, variant] = /^(\w+)\[(.*)\]$/.exec(key) ?? [];
    return name === operator && variant !== undefined ? [variant] : [];
  });
  const texts = [undefined, ...variants].map((variant) => {
    const ranges = rangesOf(variant);
    return ranges === '' ? '' : variant === undefined ? ranges : `${variant}: ${ranges}`;
  });
  return texts.filter((text) => text !== '').join('; ') || 'unmeasured';
}

function cudaText(operator: string): string {
  return textOf(operator, measuredOperators(), (variant) =>
    spans((opset) => {
      const { status, note } = cudaCoverage(operator, opset, 'float32', variant);
      if (status === 'unmeasured') return undefined;
      return status === 'mixed' || status === 'constructor-error' ? `${status} (${note})` : status;
    }),
  );
}

function webgpuText(operator: string): string {
  return textOf(operator, measuredOnWebgpu(), (variant) =>
    spans((opset) => {
      const { status, note } = webgpuCoverage(operator, opset, 'float32', variant);
      if (status === 'unmeasured') return undefined;
      return status === 'mixed' ? `${status} (${note})` : status;
    }),
  );
}

/** What is the same of adjacent opsets, together. */
function spans(textAt: (opset: number) => string | undefined): string {
  const ranges: { text: string; from: number; to: number }[] = [];
  for (let opset = MEASURED.first; opset <= MEASURED.last; opset++) {
    const text = textAt(opset);
    if (text === undefined) continue;
    const last = ranges.at(-1);
    if (last?.text === text && last.to === opset - 1) last.to = opset;
    else ranges.push({ text, from: opset, to: opset });
  }
  return ranges.map(({ text, from, to }) => `${text} ${from === to ? from : `${from}–${to}`}`).join(', ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The text of docs/operators.md. */
export function operatorsDoc(root: string = ROOT): string {
  const tested = testedOpsets(root);
  const known = Object.keys(gradients).filter((op) => !op.includes('::'));
  const ruled = known.filter((op) => gradients[op] !== noGradient).sort();
  const constant = known.filter((op) => gradients[op] === noGradient).sort();
  const rest = Object.keys(SINCE).filter((op) => !Object.hasOwn(gradients, op));
  const since = (op: string): string => SINCE[op]?.join(', ') ?? '';
  return `# Operators

\`npm run docs:operators\` generates this page from the rules in graphs/gradients, their cases in fixtures/gradients, and
src/runtime/cuda/kernels.ts and src/runtime/webgpu/kernels.ts. \`test/docs.test.ts\` fails if it is out of date.

- *schemas*: the opsets of ai.onnx that introduced or changed the operator.
- *tested*: the opsets at which its gradient is compared with PyTorch's autograd.
- *CUDA*: what ONNX Runtime's CUDA provider does with it in float32, opsets ${MEASURED.first} to ${MEASURED.last}. \`cuda\`: it has a kernel.
  \`inlined\`: it runs all pieces of the operator's function body. \`mixed\`: it leaves some of the pieces to the CPU.
  \`cpu\`: it leaves the operator to the CPU, which a strict session refuses. \`throws\`: neither provider has a kernel.
  \`constructor-error\`: the kernel refuses when the session is created. Placements were measured without a GPU; no number
  was computed on CUDA. Operators that training graphs differentiate by decomposition, such as BatchNormalization in
  training mode, appear there as simpler operators.
- *WebGPU*: the same of its provider, and whether its numbers are the CPU's. \`form\`: it has no kernel, or a wrong one, and
  lossgraft writes the operator in others ([which](webgpu.md#forms)). \`wrong\`: other numbers. Measured on SwiftShader.

Losses work with any operator before the features. The rest of this page is about training graphs (\`train-graph\`,
\`augment --grad\`). They use opsets 17 to 21, and older models are raised.

## ${ruled.length} operators with a gradient

${table(
  ['operator', 'schemas', 'tested', 'CUDA', 'WebGPU'],
  ruled.map((op) => [op, since(op), tested.get(op)?.join(', ') ?? 'not', cudaText(op), webgpuText(op)]),
)}

## ${constant.length} operators through which no gradient flows

Their results are integers or booleans, piecewise constant in the inputs, or drawn at random. The nodes before them get
their gradient through other paths, or none.

${table(
  ['operator', 'schemas', 'CUDA', 'WebGPU'],
  constant.map((op) => [op, since(op), cudaText(op), webgpuText(op)]),
)}

## ${rest.length} operators without a rule

lossgraft refuses them by name between a trainable parameter and the loss. They are allowed if all parameters before them
are frozen (\`--trainable head\`, or a pattern).

${table(
  ['operator', 'schemas', 'remark', 'CUDA', 'WebGPU'],
  rest.map((op) => [op, since(op), REMARKS[op] ?? '', cudaText(op), webgpuText(op)]),
)}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(ROOT, 'docs/operators.md'), operatorsDoc());
}
