import type { Machine, PartResult, ResultRow } from './result.ts';

/** docs/cuda-results.md, of the parts that are done; those that are not are named. */
export function pageOf(
  machine: Machine,
  date: string,
  results: readonly PartResult[],
  waiting: readonly string[],
): string {
  const { gpu, python, node, runtime, processor, cores, notes } = machine;
  const facts = [
    ['date', date],
    [
      'card',
      gpu
        ? `${gpu.name}, ${gpu.memory}, compute capability ${gpu.computeCapability}${gpu.mig === 'Enabled' ? ', MIG' : ''}`
        : 'none',
    ],
    ['driver', gpu ? `${gpu.driver}, CUDA ${gpu.cuda}` : 'none'],
    ['lossgraft', `onnxruntime-node ${runtime}, Node ${node}`],
    [
      'PyTorch',
      python.ok
        ? `${python.torch}, CUDA ${python.cuda}, cuDNN ${python.cudnn}, Python ${python.version}`
        : `not there: ${python.why}`,
    ],
    ['processor', `${processor}, ${cores} cores`],
  ];
  const unfinished =
    waiting.length === 0
      ? ''
      : `\nNot done: ${waiting.join(', ')}. This page was written while the check ran, or the check was ended.\n`;
  return `# CUDA results

\`npm run check:cuda\` wrote this page on a machine with a GPU. Each part has its own time and its own verdict:
\`incomplete\` means that all that was looked at in that time passed, and that there was more.

${tableOf(facts.map(([what = '', found = '']) => ({ what, found })))}
${[...notes].map((note) => `\n- ${escaped(note)}`).join('')}

${tableOf(results.map(({ title, verdict, why, seconds }) => ({ part: title, verdict, found: why, seconds })))}
${unfinished}
${results.map(sectionOf).join('\n')}`;
}

function sectionOf({ title, about, verdict, why, rows, failures, notes }: PartResult): string {
  const shown = failures.slice(0, 40).map((failure) => `- FAILED: ${escaped(failure)}`);
  const more = failures.length > shown.length ? [`- and ${failures.length - shown.length} more, in the JSON`] : [];
  const lines = [...shown, ...more, ...notes.map((note) => `- ${escaped(note)}`)];
  return [
    `## ${title}`,
    `${verdict}: ${escaped(why)}.${about === '' ? '' : ` ${about}`}`,
    rows.length > 0 ? tableOf(rows) : '',
    lines.join('\n'),
  ]
    .filter((block) => block !== '')
    .join('\n\n')
    .concat('\n');
}

function tableOf(rows: readonly ResultRow[]): string {
  const heads = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: readonly unknown[]): string =>
    `| ${cells.map((cell) => escaped(cell === null || cell === undefined ? '' : String(cell))).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map((row) => line(heads.map((head) => row[head])))].join(
    '\n',
  );
}

function escaped(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
}
