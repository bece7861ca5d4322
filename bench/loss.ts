/**
 * The losses of the IB paper on the CPU, forward and with the gradients of logits and features' norm, and with `--python PYTHON` (that
 * has PyTorch) PyTorch eager on the same sizes: the literal reference, class weights included. Both take turns, with the same number of
 * threads; medians. Gradients stay where they are made, as in a training step; their first row is fetched. Exit 1 where a fused form is
 * slower than PyTorch, or the ib loss with its gradient at 1000 classes takes more than half of its time.
 *
 *   npx tsx bench/loss.ts [--python PYTHON] [--rows 4096] [--classes 10,1000,8142] [--threads 2] [--rounds 5]
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { losses } from '../graphs/index.ts';
import { runtimeVersion } from '../src/runtime/session.ts';
import { type LossWork, lossInputs, openForm, timeLoss } from './lossForms.ts';

/** At most this share of PyTorch's time, for the fused form. */
function limitOf({ name, classes, gradient }: Work): number {
  return name === 'ib' && gradient && classes === 1000 ? 0.5 : 1;
}

interface Work extends LossWork {
  readonly name: string;
}

/** What the PyTorch side knows. */
const COMPARED = ['ce', 'focal', 'ib', 'ib-focal'];
/** Elements of logits that one round works through for each loss, about. */
const ELEMENTS_PER_ROUND = 1.5e8;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    rows: { type: 'string', default: '4096' },
    classes: { type: 'string', default: '10,1000,8142' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
  },
});
const rows = Number(options.rows);
const threads = Number(options.threads);
const rounds = Number(options.rounds);

const reference = options.python === undefined ? undefined : await startReference(options.python);
console.log(
  `onnxruntime-node ${runtimeVersion}, ${reference ? `PyTorch ${reference.version}, ` : ''}${threads} threads`,
);
const table: Record<string, string | number>[] = [];
let slow = false;
for (const classes of options.classes.split(',').map(Number)) {
  for (const [name, loss] of Object.entries(losses)) {
    if (!COMPARED.includes(name)) continue;
    for (const gradient of [false, true]) table.push(await compare({ name, loss, rows, classes, threads, gradient }));
  }
}
reference?.close();
console.table(table);
process.exitCode = slow ? 1 : 0;

async function compare(work: Work): Promise<Record<string, string | number>> {
  const { name, classes, gradient } = work;
  const runs = Math.min(200, Math.max(3, Math.round(ELEMENTS_PER_ROUND / rows / classes / rounds)));
  const feeds = lossInputs(work);
  const fused = await openForm(work, 'fused');
  const literal = await openForm(work, 'literal');
  const times: { fused: number[]; literal: number[]; torch: number[] } = { fused: [], literal: [], torch: [] };
  for (let round = 0; round < rounds; round++) {
    times.fused.push(...(await timeLoss(fused, feeds, runs, work)));
    times.literal.push(...(await timeLoss(literal, feeds, runs, work)));
    if (reference) times.torch.push(...(await reference.ask({ loss: name, rows, classes, threads, runs, gradient })));
  }
  await fused.close();
  await literal.close();
  const [ours, form, torch] = [median(times.fused), median(times.literal), median(times.torch)];
  const limit = limitOf(work);
  if (reference && ours > limit * torch) slow = true;
  const against = reference
    ? {
        'PyTorch ms': digits(torch),
        'fused / PyTorch': digits(ours / torch),
        'at most': limit,
        'literal / PyTorch': digits(form / torch),
      }
    : {};
  const what = gradient ? `${name} and gradient` : name;
  return { loss: what, N: rows, C: classes, 'fused ms': digits(ours), 'literal ms': digits(form), ...against };
}

interface Reference {
  readonly version: string;
  ask(request: Readonly<Record<string, string | number | boolean>>): Promise<number[]>;
  close(): void;
}

async function startReference(python: string): Promise<Reference> {
  const script = fileURLToPath(new URL('loss_reference.py', import.meta.url));
  const child: ChildProcessWithoutNullStreams = spawn(python, [script]);
  child.stderr.pipe(process.stderr);
  const lines = createInterface({ input: child.stdout });
  const gone = once(child, 'exit').then(() => Promise.reject(new Error(`${python} ended`)));
  gone.catch(() => undefined);
  const answer = async (): Promise<string> => {
    const [line] = await Promise.race([once(lines, 'line'), gone]);
    return String(line);
  };
  const version: string = JSON.parse(await answer());
  return {
    version,
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse(await answer());
    },
    close: () => child.stdin.end(),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function digits(value: number): number {
  return Number(value.toPrecision(3));
}
