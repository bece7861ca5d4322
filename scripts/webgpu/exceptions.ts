/** What WebGPU does not do as the CPU does, and why that is how it is. */
interface Exception {
  readonly name: RegExp;
  readonly problem: RegExp;
  readonly why: string;
}

const NO_KERNEL = 'the operator of the model has no kernel, and lossgraft no other form';
const FUNCTIONS = "SwiftShader's own functions are this far off; WebGPU allows it";

const LOOP = 'ONNX Runtime runs loops on the CPU, and much of what follows them';

const EXCEPTIONS: readonly Exception[] = [
  { name: / ReverseSequence /, problem: /on the CPU/, why: NO_KERNEL },
  { name: /antialias/, problem: /throws/, why: 'the kernel has no antialiasing' },
  { name: / (LSTM|GRU|RNN) .*symbolic/, problem: /on the CPU/, why: LOOP },
  {
    name: /\b(Sin|Cos|Tan|Acos|Asin|Tanh|Cosh|Sinh)\b/,
    problem: /^gradient of \w+ is [\d.]+e-\d+ off/,
    why: FUNCTIONS,
  },
  { name: /Cast-float64/, problem: /on the CPU/, why: 'WebGPU has no float64' },
  { name: / Mod /, problem: /on the CPU: Mod/, why: NO_KERNEL },
  {
    name: /Pow-half-at-0/,
    problem: /Infinity/,
    why: 'an infinite gradient: WebGPU may give any number for 0 to a negative power',
  },
  { name: /Pow-int-exponent/, problem: /on the CPU: Cast/, why: 'WebGPU has no 64-bit integers' },
  {
    name: / (SpaceToDepth|DepthToSpace) .*symbolic/,
    problem: /on the CPU/,
    why: 'the form of SpaceToDepth needs known sizes',
  },
  { name: / LpPool /, problem: /on the CPU: LpPool/, why: NO_KERNEL },
  { name: / Col2Im /, problem: /on the CPU/, why: NO_KERNEL },
  { name: / (AffineGrid|Compress) /, problem: /on the CPU/, why: NO_KERNEL },
  { name: / GridSample opset 2/, problem: /on the CPU: (Mul, )?GridSample$/, why: NO_KERNEL },
  { name: / Einsum /, problem: /throws/, why: 'the kernel fails where both sides are broadcast' },
  {
    name: / (Pad|Resize|Einsum|GridSample) .*symbolic/,
    problem: /on the CPU/,
    why: 'positions of unknown lengths are computed on the CPU, from the lengths',
  },
  {
    name: /batch-norm-training/,
    problem: /throws/,
    why: 'BatchNorm as ONNX trains it has no kernel; train-graph writes it in others',
  },
  {
    name: /max-indices-column-major/,
    problem: /throws/,
    why: 'the model reads the indices of a MaxPool, which the kernel does not give',
  },
];

/** Why a finding is no failure; `undefined` where it is one. */
export function excuseOf(name: string, problem: string): string | undefined {
  return EXCEPTIONS.find((each) => each.name.test(name) && each.problem.test(problem))?.why;
}
