import { inspectRows, pick } from '../../src/catalogue.ts';
import type { Inspection } from '../../src/index.ts';
import { commandWith } from '../command.ts';
import { modelRow } from '../fileOptions.ts';
import { headName } from '../graftReport.ts';
import { describeType, print, printJson, table } from '../io.ts';
import { manifestRows, otherPorts } from '../manifestRows.ts';

/** lossgraft inspect */
export const inspectCommand = commandWith(() => import('../../src/look.ts'), {
  name: 'inspect',
  describe: 'Show what a model is: inputs, outputs, logits, features, operators, CUDA coverage',
  rows: { model: { ...modelRow, describe: 'An ONNX file, or a Hugging Face folder with one' }, ...inspectRows },
  examples: [
    ['inspect classifier.onnx', 'a table'],
    ['inspect classifier.onnx --json', 'the same for programs'],
  ],
  run: async ({ options, json }, { open, inspect }) => {
    const model = await open(options.model);
    try {
      const found = await inspect(model, pick(inspectRows, options));
      await (json ? printJson(found) : print(describe(found)));
    } finally {
      model.close();
    }
  },
});

function describe(found: Inspection): string {
  const opsets = Object.entries(found.opsets).map(([domain, version]) => `${domain} ${version}`);
  const rows: (readonly [string, string])[] = [
    ['file', `${found.file}, ${found.bytes.toLocaleString('en')} bytes`],
    ['format', `IR ${found.irVersion}, opset ${opsets.join(', ') || 'none'}`],
    ['producer', found.producer || 'not stated'],
    ...manifestRows(found),
    ...otherPorts(found.inputs, found).map(
      (port) => ['input', `${port.name}  ${describeType(port.dtype, port.shape)}`] as const,
    ),
    ...otherPorts(found.outputs, found).map(
      (port) => ['output', `${port.name}  ${describeType(port.dtype, port.shape)}`] as const,
    ),
    ...graftRows(found),
    [
      'nodes',
      `${found.nodes.toLocaleString('en')}${found.functions > 0 ? `, ${found.functions} local functions` : ''}`,
    ],
    ...found.externalFiles.map((file) => ['external data', file] as const),
  ];
  const ops = found.ops.map(({ op, count, cuda, webgpu }) => {
    const notes = [cuda.note && `CUDA: ${cuda.note}`, webgpu.note && `WebGPU: ${webgpu.note}`];
    const own = cuda.note === webgpu.note ? cuda.note : notes.filter((note) => note !== '').join('; ');
    return [op, count, cuda.status, webgpu.status, own] as const;
  });
  return `${table([], rows)}\n${table(['operator', 'nodes', 'CUDA', 'WebGPU', ''], ops)}`;
}

function graftRows(found: Inspection): (readonly [string, string])[] {
  return [
    ...(found.head === null ? [] : [['head', `${headName(found.head)}: ${found.head.why}`] as const]),
    ['classes', found.classes === null ? 'unknown' : String(found.classes)],
    ['class names', describeNames(found)],
    ...found.classNotes.map((text) => ['', text] as const),
    ['logits', describeSearch(found.logits)],
    ['features', describeSearch(found.features)],
    ...(found.manifest?.kind === 'train' ? [] : parameterRows(found)),
  ];
}

function describeNames({ classNames }: Inspection): string {
  if (classNames === null) return 'unknown';
  const { names, from } = classNames;
  const shown = names.slice(0, 20).map((name, index) => `${index} ${name}`);
  return `${shown.join(', ')}${names.length > 20 ? `, … (${names.length})` : ''}: ${from}`;
}

function parameterRows(found: Inspection): (readonly [string, string])[] {
  const { parameters, trainable, missingGradientRules } = found;
  const { tensors, elements, leftOut, problem, storedAs, staying } = trainable;
  const stay = staying
    .map((each) => `; ${each.elements.toLocaleString('en')} weights in ${each.dtype} stay as they are`)
    .join('');
  const stored = storedAs === null ? 'float32' : `${storedAs} (trained in float32)`;
  const rules = missingGradientRules.length === 0 ? 'all there' : `missing: ${missingGradientRules.join(', ')}`;
  return [
    ['parameters', parameters.toLocaleString('en')],
    ['trainable', `${elements.toLocaleString('en')} in ${tensors.toLocaleString('en')} ${stored} tensors${stay}`],
    ...leftOut.map(({ name, why }) => ['no parameter', `${name}: ${why}`] as const),
    ['training', whatTrains(found)],
    ['gradient rules', problem === null ? rules : `not checked: nothing can be trained, ${problem}`],
  ];
}

/** In one line. */
function whatTrains({ head, trainable, missingGradientRules, features }: Inspection): string {
  if (trainable.problem !== null) return 'nothing can be trained';
  const what =
    missingGradientRules.length === 0 ? 'head or all' : `head, not what lies before ${missingGradientRules.join(', ')}`;
  const losses = 'problem' in features ? 'every loss but ib and ib-focal, which read features' : 'every loss';
  const labels = head?.kind === 'sigmoid-binary' ? '; labels 0 and 1' : '';
  return `${what}, with ${losses}${labels}`;
}

function describeSearch(search: Inspection['logits']): string {
  if ('problem' in search) return `not found: ${search.problem}`;
  return `${search.name}  ${describeType('', search.shape).trim()}: ${search.how}`;
}
