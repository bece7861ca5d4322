import { relative } from 'node:path';
import { flag, pick, texts, validateRows } from '../../src/catalogue.ts';
import type { CaseReport, OutputReport, ValidationReport } from '../../src/index.ts';
import { command } from '../command.ts';
import { STATUS } from '../failure.ts';
import { note, print, printJson, table } from '../io.ts';
import { progressBar } from '../progressBar.ts';

/** lossgraft validate */
export const validateCommand = command({
  name: 'validate',
  describe: 'Compare models with reference outputs; exit status 1 if one is out of tolerance',
  rows: {
    dirs: texts(
      'Folders with cases at any depth, laid out like ONNX’s backend tests: model.onnx, test_data_set_0/*.pb',
      { positional: 'many', required: true },
    ),
    ...validateRows,
    summary: flag('Print only the counts and the failures, not every output', { first: true }),
  },
  examples: [
    ['validate fixtures/cases/digits', 'the cases that come with lossgraft'],
    ['validate my-cases --json', 'your own folder'],
  ],
  run: async ({ options, json }, { validate }) => {
    const bar = progressBar('cases');
    let done = 0;
    const onCase = (_report: CaseReport, total: number): void => bar.update(++done, total);
    let result: ValidationReport;
    try {
      result = await validate(options.dirs, { ...pick(validateRows, options), onCase });
    } finally {
      bar.stop();
    }
    for (const text of result.notes) note(text);
    await (json ? printJson(result) : print(describe(result, options.summary ?? false)));
    if (result.verdict === 'fail') process.exitCode = STATUS.failed.code;
  },
});

const HEAD = ['case', 'output', 'max abs', 'max rel', 'max ulp', 'PyTorch float32', 'tolerance', 'verdict'];

function describe(result: ValidationReport, summary: boolean): string {
  const rows = result.cases.flatMap((report) => report.outputs.map((output) => row(report, output)));
  const problems = result.cases.flatMap(problemsOf);
  const counts = `${result.passed} cases passed, ${result.failed} failed`;
  const parts = [
    ...(summary ? [] : [`${table(HEAD, rows)}${footnotes(result)}`]),
    ...(problems.length > 0 ? [`${problems.join('\n')}\n`] : []),
    `${counts} (${result.provider}, ONNX Runtime ${result.runtime})\n`,
  ];
  return parts.join('\n');
}

function row(report: CaseReport, { output, errors, float32, tolerance, verdict, exception }: OutputReport): string[] {
  const { maxAbs, maxRel, maxUlp } = errors ?? {};
  const bounds = `${short(tolerance.rtol)} rel, ${short(tolerance.atol)} abs${exception === undefined ? '' : ' *'}`;
  const own = float32 === undefined ? '-' : `${short(float32.maxRel)} rel`;
  return [shortPath(report.case), output, short(maxAbs), short(maxRel), short(maxUlp), own, bounds, verdict];
}

/** Why some outputs have a tolerance of their own. */
function footnotes({ cases }: ValidationReport): string {
  const reasons = new Set(cases.flatMap(({ outputs }) => outputs.flatMap(({ exception }) => exception ?? [])));
  return [...reasons].map((reason) => `* ${reason}\n`).join('');
}

function problemsOf(report: CaseReport): string[] {
  const name = shortPath(report.case);
  const outputs = report.outputs.filter(({ verdict }) => verdict === 'fail');
  return [
    ...(report.error === undefined ? [] : [`FAIL ${name}: ${report.error}`]),
    ...outputs.map(({ output, problem }) => `FAIL ${name}, ${output}: ${problem ?? 'out of tolerance'}`),
  ];
}

function short(value: number | undefined): string {
  if (value === undefined) return '-';
  return value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

function shortPath(folder: string): string {
  const path = relative(process.cwd(), folder);
  return path.startsWith('..') ? folder : path;
}
