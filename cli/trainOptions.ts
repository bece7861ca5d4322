import { existsSync } from 'node:fs';
import { dataRows, flag, isText, type OptionsOf, pick, type Row, text, trainRows, value } from '../src/catalogue.ts';
import type { DataParts, Dataset, RunOrigin, TrainOptions } from '../src/index.ts';
import type { Door, Given } from './command.ts';
import { type Config, fromHere, readConfig, recordOf } from './config.ts';
import { dataOptionRows, openFurther } from './dataOptions.ts';
import { fileRows } from './fileOptions.ts';
import { commandLine, DECLARED, withFlags } from './flags.ts';
import { note } from './io.ts';
import type { TunedOutput } from './tunedOutput.ts';
import { UsageError } from './usage.ts';

/** An option that takes data in the library: here it is a path. */
const path = ({ describe }: Row) => text(describe, { first: true, isInput: true });

const files = fileRows('The tuned model to write');

/** The options of `lossgraft train`. */
export const rows = {
  ...files,
  model: { ...files.model, required: false } as const,
  output: text(
    'The tuned model to write (default: NAME-tuned.onnx beside NAME.onnx; for a folder NAME, a folder NAME-tuned with its config files)',
    { alias: 'o', first: true },
  ),
  ...dataOptionRows,
  ...trainRows,
  data: { ...dataOptionRows.data, required: false, first: true } as const,
  validation: value('a path, or a share of the data', isTextOrNumber, trainRows.validation.describe, {
    first: true,
    isInput: true,
    reads: 'a path, or a share of the data',
    parse: (given: string) => (isShare(given) ? Number(given) : given),
  }),
  test: path(trainRows.test),
  folder: { ...trainRows.folder, required: false } as const,
  config: text(
    'Take options from a file: the run.json of a run, or an object such as {"epochs": 5}; flags override it',
    {},
  ),
  resume: text(
    'Continue the run in that folder, which knows its model, data and options; a larger --epochs trains it further. Without a folder: the run of this command line',
    { first: true, bare: true },
  ),
  force: flag('Replace an existing output, and start an existing run again', { first: true }),
  dryRun: flag('Check everything, time a few steps, and report what the run would do and cost; write nothing', {}),
  writeAnyway: flag('Write the tuned model even if it is not shown to be better than the given one', {}),
};

function isTextOrNumber(given: unknown): given is string | number {
  return isText(given) || typeof given === 'number';
}

type Options = OptionsOf<typeof rows>;

/** The request: the command line, and the file it names. */
export interface Asked {
  readonly options: Options & { readonly model: string; readonly data: string };
  readonly declared: Readonly<Record<string, unknown>>;
  readonly origin: RunOrigin;
}

/** The options that a file may hold: all except those of the call itself. */
const { config: _config, resume: _resume, force: _force, dryRun: _dryRun, serve: _serve, ...configRows } = rows;

/** The options of a call; the command line overrides the file. @throws UsageError if the model or the data are missing. */
export function askedOf({ options, declared }: Given<typeof rows>, door: Door): Asked {
  const { config, resume } = options;
  if (config !== undefined && resume !== undefined)
    throw new UsageError('Either --config or --resume: a run that is resumed has its own options');
  const isRun = resume !== undefined && resume !== '';
  const file = isRun ? recordOf(resume) : config;
  const isDeclared = (key: string): boolean => DECLARED.has(key) && !Object.hasOwn(rows, key);
  const given = new Map(Object.entries(options));
  const isGiven = (key: string): boolean => key !== 'augmentation' && given.get(key) !== undefined;
  const read = file === undefined ? NOTHING : readConfig(door, file, configRows, { isDeclared, isGiven });
  for (const text of read.notes) note(text);
  const merged: Options = {
    ...read.options,
    ...(isRun ? outputsOf(read) : {}),
    ...defined(options),
    ...(isRun ? { folder: resume } : {}),
  };
  const augmentation = { ...read.options.augmentation, ...options.augmentation };
  const all = Object.keys(augmentation).length > 0 ? { ...merged, augmentation } : merged;
  const { model, data } = all;
  if (model === undefined || data === undefined) throw missing(model === undefined ? 'MODEL' : '--data');
  const own = Object.entries({ ...options, ...declared }).filter(([, value]) => value !== undefined);
  const source = (key: string): string => (isRun ? read.run?.options[key]?.from : undefined) ?? file ?? '';
  const from = Object.fromEntries([
    ...Object.keys({ ...read.options, ...read.declared }).map((key) => [key, source(key)]),
    ...own.map(([key]) => [key, 'command line']),
  ]);
  const bothDeclared = { ...read.declared, ...declared };
  const recorded = { ...pick(configRows, all), ...(isRun ? { folder: read.options.folder } : {}), ...bothDeclared };
  return {
    options: { ...all, model, data },
    declared: bothDeclared,
    origin: {
      command: commandLine(),
      from,
      spell: withFlags,
      options: defined(recorded),
      ...(read.run === undefined || isRun ? {} : { repeats: read.run }),
    },
  };
}

const NOTHING: Config<typeof configRows> = { options: {}, declared: {}, run: undefined, base: '.', notes: [] };

/** A resumed run writes to its original output: relative paths start at its own working folder. */
function outputsOf({ options: { output, report }, base }: Config<typeof configRows>): Partial<Options> {
  return {
    ...(output === undefined ? {} : { output: fromHere(output, base) }),
    ...(typeof report === 'string' ? { report: fromHere(report, base) } : {}),
  };
}

function missing(what: string): UsageError {
  return new UsageError(
    `${what} is missing: lossgraft train MODEL --data DATA; or --config run.json, or --resume RUN, which know both`,
  );
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** The options of the command line, in the library's form. Data are opened; the caller closes them. */
export async function optionsOf(
  { options, declared, origin }: Asked,
  output: TunedOutput,
  door: Door,
  opened: Dataset[],
): Promise<TrainOptions> {
  const { folder = `${output.path.replace(/\.onnx$|[\\/]+$/, '')}.run`, resume, force } = options;
  const how = pick(dataRows, options);
  const parts = door.dataParts(options.data);
  if (parts !== undefined) note(describeParts(parts, options));
  const data = await door.openData(parts?.data ?? options.data, how);
  opened.push(data);
  const open = async (path: string): Promise<Dataset> => {
    const further = await openFurther(door, path, how);
    opened.push(further);
    return further;
  };
  const { validation = parts?.validation, test = parts?.test, ...others } = options;
  return {
    ...declared,
    ...pick(trainRows, others),
    data,
    folder,
    mode: resume !== undefined ? 'resume' : force ? 'replace' : 'new',
    origin,
    ...(validation === undefined
      ? {}
      : { validation: isShare(validation) ? Number(validation) : await open(String(validation)) }),
    ...(test === undefined ? {} : { test: await open(test) }),
  } as TrainOptions;
}

/** How the parts of a folder are used. */
function describeParts(parts: DataParts, { data, validation, test }: Asked['options']): string {
  const used = [
    `${parts.data} to train`,
    ...(parts.validation === undefined || validation !== undefined ? [] : [`${parts.validation} to choose the epoch`]),
    ...(parts.test === undefined || test !== undefined ? [] : [`${parts.test} for the final test`]),
  ];
  const shares =
    (parts.validation ?? validation) === undefined ? '; part of the training data is held out to choose the epoch' : '';
  return `${data} is divided: ${used.join(', ')}${shares}`;
}

function isShare(validation: string | number): boolean {
  return typeof validation === 'number' || (!existsSync(validation) && Number.isFinite(Number(validation)));
}
