import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { fileFor } from '../lower/webgpu/file.ts';
import type { Tolerance } from '../numbers.ts';
import { proveOnDevice } from '../runtime/deviceProof.ts';
import { openSession, type Port, type Provider, type Session } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { type CaseFile, readCaseFile } from './caseFile.ts';
import { compareTensors } from './compare.ts';
import { bindNames, dataSets, incomplete, type NamedTensor, readTensors } from './dataSet.ts';
import type { CaseReport, OutputReport } from './report.ts';

/** Grafts onto a model what a case.json requests. */
export type AugmentCase = (
  modelPath: string,
  augment: Readonly<Record<string, unknown>>,
  provider: Provider,
) => Promise<Uint8Array>;

/** Runs one case. Its report includes any error: one broken case does not hide the others. */
export async function runCase(folder: string, provider: Provider, augmentCase?: AugmentCase): Promise<CaseReport> {
  let proves: string | undefined;
  try {
    const file = readCaseFile(folder);
    proves = file.proves;
    const outputs = await runDataSets(folder, file, provider, augmentCase);
    const verdict = outputs.every((output) => output.verdict === 'pass') ? 'pass' : 'fail';
    return { case: folder, ...(proves === undefined ? {} : { proves }), verdict, outputs };
  } catch (error) {
    if (error instanceof LossgraftError && UNAVAILABLE.has(error.code)) throw error;
    const said = error instanceof Error ? error.message : String(error);
    return { case: folder, ...(proves === undefined ? {} : { proves }), verdict: 'fail', outputs: [], error: said };
  }
}

/** What ends the work: no case could be run. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['cuda-unavailable', 'webgpu-unavailable']);

async function runDataSets(
  folder: string,
  file: CaseFile,
  provider: Provider,
  augmentCase: AugmentCase | undefined,
): Promise<OutputReport[]> {
  const sets = dataSets(folder);
  const model = await modelOf(folder, file, provider, augmentCase);
  const session = await openSession(model.bytes ?? model.path, sessionOptions(model));
  try {
    checkPorts(file.modelPath, session);
    const reports: OutputReport[] = [];
    for (const set of sets) reports.push(...(await runDataSet({ folder, set, file, provider, model, session })));
    return reports;
  } finally {
    await session.close();
  }
}

/** @throws LossgraftError `not-a-tensor` naming the inputs and outputs that onnxruntime-node passes neither in nor out. */
function checkPorts(where: string, { inputs, outputs }: Session): void {
  const others = (kind: string, ports: readonly Port[]): string[] =>
    ports.filter(({ shape }) => shape === undefined).map(({ name }) => `${kind} ${name}`);
  const found = [...others('input', inputs), ...others('output', outputs)];
  if (found.length === 0) return;
  throw new LossgraftError({
    code: 'not-a-tensor',
    where,
    expected: 'tensors as inputs and outputs: onnxruntime-node supports nothing else',
    found: `a sequence, a map or an optional: ${found.join(', ')}`,
    hint: 'This case is not supported. Run it with Python’s onnxruntime',
  });
}

interface CaseModel {
  readonly path: string;
  /** The augmented model; `undefined` if the file runs as it is. */
  readonly bytes: Uint8Array | undefined;
}

async function modelOf(
  folder: string,
  file: CaseFile,
  provider: Provider,
  augmentCase: AugmentCase | undefined,
): Promise<CaseModel> {
  const path = file.modelPath;
  if (file.augment === undefined) return { path, bytes: undefined };
  if (augmentCase !== undefined) return { path, bytes: await augmentCase(path, file.augment, provider) };
  throw new LossgraftError({
    code: 'no-augment',
    where: join(folder, 'case.json'),
    expected: 'a case without a graft: no augment function was given',
    found: 'the key "augment"',
    hint: 'Give validate the option augmentCase',
  });
}

function sessionOptions({ path, bytes }: CaseModel): { name: string; externalDataFolder?: string } {
  return { name: basename(path), ...(bytes === undefined ? {} : { externalDataFolder: dirname(path) }) };
}

interface DataSetRun {
  readonly folder: string;
  readonly set: string;
  readonly file: CaseFile;
  readonly provider: Provider;
  readonly model: CaseModel;
  /** A session on the CPU, which knows the model's inputs and outputs. */
  readonly session: Session;
}

async function runDataSet(run: DataSetRun): Promise<OutputReport[]> {
  const { folder, set, file, session } = run;
  const inputs = readTensors(file.inputsFolder ?? join(folder, set), 'input');
  const expected = readTensors(join(folder, set), 'output');
  if (expected.length === 0) throw incomplete(join(folder, set), 'output_0.pb', 'no expected outputs');
  const feeds = byName(bindNames(inputs, session.inputs.map(nameOf), 'inputs'));
  const wanted = bindNames(expected, session.outputs.map(nameOf), 'outputs');
  checkExceptions(folder, file, wanted);
  const cpu = await session.run(feeds);
  const actual = run.provider === 'cpu' ? cpu : await onDevice(run.provider, run.model, feeds);
  const float32 = float32Answers(folder, set);
  return [...wanted].map(([output, { tensor }]) =>
    judge({
      set,
      output,
      file,
      expected: tensor,
      actual: actual[output],
      float32: float32.get(output),
      cpu: actual === cpu ? undefined : cpu[output],
      atLeast: run.provider === 'webgpu' ? WEBGPU_TOLERANCE : { rtol: 0, atol: 0 },
    }),
  );
}

function checkExceptions(folder: string, file: CaseFile, wanted: ReadonlyMap<string, NamedTensor>): void {
  const unknown = [...file.exceptions.keys()].find((output) => !wanted.has(output));
  if (unknown === undefined) return;
  throw new LossgraftError({
    code: 'case-file',
    where: join(folder, 'case.json, exceptions'),
    expected: `outputs among ${[...wanted.keys()].join(', ')}`,
    found: `"${unknown}"`,
    hint: 'Correct the name, or remove the exception',
  });
}

async function onDevice(
  provider: Exclude<Provider, 'cpu'>,
  model: CaseModel,
  feeds: Record<string, Tensor>,
): Promise<Readonly<Record<string, Tensor>>> {
  const given = { file: model.bytes ?? model.path, session: sessionOptions(model) };
  const { file, session } = await fileFor(provider, given);
  return (await proveOnDevice(provider, file, feeds, { ...given.session, ...session })).outputs;
}

/** The case's float32 results by name, for the first data set. */
function float32Answers(folder: string, set: string): Map<string, Tensor> {
  const path = join(folder, 'float32');
  if (set !== 'test_data_set_0' || !existsSync(path)) return new Map();
  return new Map(readTensors(path, 'output').map(({ name, tensor }) => [name, tensor]));
}

interface JudgedOutput {
  readonly set: string;
  readonly output: string;
  readonly file: CaseFile;
  readonly expected: Tensor;
  readonly actual: Tensor | undefined;
  readonly float32: Tensor | undefined;
  readonly cpu: Tensor | undefined;
  readonly atLeast: Tolerance;
}

/** Drivers may round functions such as log and exp more loosely than a case asks, which a confident sample's small loss shows first. */
const WEBGPU_TOLERANCE: Tolerance = { rtol: 1e-4, atol: 1e-6 };

function judge({ set, output, file, expected, actual, float32, cpu, atLeast }: JudgedOutput): OutputReport {
  const exception = file.exceptions.get(output);
  const { rtol, atol }: Tolerance = exception ?? file.tolerance;
  const tolerance = { rtol: Math.max(rtol, atLeast.rtol), atol: Math.max(atol, atLeast.atol) };
  const compared =
    actual === undefined
      ? { errors: null, problem: 'no such output in the model' }
      : compareTensors(actual, expected, tolerance);
  const theirs = float32 && compareTensors(float32, expected, tolerance).errors;
  const againstCpu = cpu && actual && compareTensors(actual, cpu, tolerance).errors;
  return {
    dataSet: set,
    output,
    verdict: compared.problem === undefined ? 'pass' : 'fail',
    elements: expected.data.length,
    errors: compared.errors,
    tolerance,
    ...(exception ? { exception: exception.reason } : {}),
    ...(theirs ? { float32: theirs } : {}),
    ...(againstCpu ? { againstCpu } : {}),
    ...(compared.problem === undefined ? {} : { problem: compared.problem }),
  };
}

function byName(tensors: ReadonlyMap<string, NamedTensor>): Record<string, Tensor> {
  return Object.fromEntries([...tensors].map(([name, { tensor }]) => [name, tensor]));
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
