import { dataRows, pick, reheadRows, text } from '../../src/catalogue.ts';
import type { ReheadReport } from '../../src/index.ts';
import { command } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { fileRows } from '../fileOptions.ts';
import { note, print, printable, printJson } from '../io.ts';
import { checkTuned, copyConfig, makeFolders, tunedOutput } from '../tunedOutput.ts';

const { classes: _classes, ...ownData } = dataOptionRows;

const rows = {
  ...fileRows('The model of other classes to write; for a folder, a folder with its config files'),
  ...reheadRows,
  ...ownData,
  data: text('Samples of the classes, for rows that begin with their class means', { first: true }),
} as const;

/** lossgraft rehead */
export const reheadCommand = command({
  name: 'rehead',
  describe: 'Give a classifier other classes: a new last layer, further rows, or fewer; all else stays byte for byte',
  rows,
  examples: [
    ['rehead net.onnx --classes leaves.txt -o leaves.onnx', 'a new last layer, one class per line of the file'],
    [
      'rehead net.onnx --add-classes zebra,okapi -o more.onnx',
      'two more classes; what the model knows of the others stays',
    ],
    ['rehead net.onnx --keep-classes cat,dog -o pets.onnx', 'two of its classes'],
    ['rehead ./vit --data images -o ./vit-new', 'the classes of the data, from class means of the features'],
  ],
  epilogue: 'train takes --head new, --add-classes and --keep-classes itself, and then trains the model.',
  run: async ({ options, json }, lossgraft) => {
    const { data: dataPath, output: given, force = false } = options;
    const output = tunedOutput(lossgraft, options.model, given, true);
    const inputs = [lossgraft.modelFileIn(options.model), ...(dataPath === undefined ? [] : [dataPath])];
    checkTuned(lossgraft, output, { force, inputs });
    const model = await lossgraft.open(options.model);
    const { classes: _own, ...how } = options;
    const data = dataPath === undefined ? undefined : await lossgraft.openData(dataPath, pick(dataRows, how));
    try {
      const { report, write } = await lossgraft.rehead(model, data, pick(reheadRows, options));
      for (const text of report.notes) note(text);
      makeFolders(output);
      await write(output.model, { force, copyExternalData: true });
      const files = [output.model, ...(await copyConfig(lossgraft, output, namesOf(report)))];
      await (json ? printJson({ ...report, files }) : print(`${describe(report)}written ${files.join(', ')}\n`));
    } finally {
      data?.close();
      model.close();
    }
  },
});

function namesOf({ classNames, sources }: ReheadReport): readonly string[] {
  return classNames ?? sources.map((_, k) => String(k));
}

const START = { means: 'class means of the features', zeros: 'zeros', random: 'random numbers' } as const;
const SHOWN = 20;

function describe({ classNames, sources, init, tensors }: ReheadReport): string {
  const kept = sources.filter((source) => source !== null).length;
  const names = classNames?.slice(0, SHOWN).map((name, k) => `${k} ${printable(name)}`) ?? [];
  const called = names.length === 0 ? '' : `: ${names.join(', ')}${sources.length > SHOWN ? ', …' : ''}`;
  const rows = [
    ...(kept > 0 ? [`${kept} rows stay as they are`] : []),
    ...(init === null ? [] : [`${sources.length - kept} are new, from ${START[init]}`]),
  ];
  const into = tensors.map((name) => printable(name)).join(' and ');
  return `${sources.length} classes${called}\n${rows.join(', ')}, in ${into}\n`;
}
