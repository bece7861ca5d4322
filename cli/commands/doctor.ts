import { checkNeeds, flag, pick, setupCudaRows } from '../../src/catalogue.ts';
import type { ProviderReport } from '../../src/index.ts';
import { command } from '../command.ts';
import { STATUS } from '../failure.ts';
import { note, print, printJson, table } from '../io.ts';

const rows = {
  setupCuda: flag('Download the CUDA provider in onnxruntime-node’s version first, without NVIDIA’s own libraries', {
    first: true,
  }),
  ...setupCudaRows,
};

/** lossgraft doctor */
export const doctorCommand = command({
  name: 'doctor',
  describe: 'Check which providers really work on this machine, and why others do not',
  rows,
  examples: [
    ['doctor', 'run a small model on each provider and check its numbers'],
    ['doctor --setup-cuda', 'download the CUDA provider, then do the same'],
  ],
  epilogue:
    'Exit status 1 if the CPU provider does not work. CUDA and WebGPU are optional; their lines say what is missing.',
  run: async ({ options, json }, { doctor, setupCuda }) => {
    checkNeeds(rows, options);
    if (options.setupCuda) {
      const { folder, files, source } = await setupCuda({ ...pick(setupCudaRows, options), log: note });
      note(`${folder}: ${files.join(', ')} (${source})`);
    }
    const reports = await doctor();
    await (json ? printJson(reports) : print(reports.map(describe).join('\n')));
    if (reports.some(({ provider, works }) => provider === 'cpu' && !works)) process.exitCode = STATUS.failed.code;
  },
});

function describe({ provider, works, findings }: ProviderReport): string {
  const rows = findings.map(({ check, ok, found }) => [ok ? 'ok' : 'NO', check, found]);
  const hints = new Set(findings.map(({ hint }) => hint).filter((hint) => hint !== ''));
  const todo = hints.size > 0 ? `What to do:\n${[...hints].map((hint) => `- ${hint}\n`).join('')}` : '';
  return `${provider}: ${works ? 'works' : 'does not work'}\n${table([], rows)}${todo}`;
}
