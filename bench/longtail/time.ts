import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modelOf, pytorch } from './stages.ts';
import { medianOf, summary } from './statistics.ts';
import { runsOf, type Setup } from './works.ts';

const TURNS = 3;
const EPOCHS = 4;

/** Seconds of one epoch: of its steps alone, and with the judging of the test data. */
interface Epoch {
  readonly trainSeconds: number;
  readonly seconds: number;
}

/** The time of an epoch of cross-entropy and of IB, in turns with PyTorch; the first epoch of every process is left out. */
export async function time(setup: Setup): Promise<void> {
  const [seed = 0] = setup.seeds;
  modelOf(setup, seed);
  const rows = [];
  for (const loss of ['ce', 'ib'] as const) {
    const [arm] = runsOf(setup.work)[0]?.arms.filter(({ name }) => name === loss) ?? [];
    if (!arm) throw new Error(loss);
    const own: Epoch[] = [];
    const torch: Epoch[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      const lines = await pytorch(setup, seed, [{ ...arm }], { epochs: EPOCHS, ibFrom: 0 });
      torch.push(...parse(lines).slice(1));
      own.push(...timeOwn(setup, loss, seed).slice(1));
    }
    rows.push(...(['trainSeconds', 'seconds'] as const).map((key) => compare(loss, key, own, torch)));
  }
  console.table(rows);
  writeFileSync(join(setup.out, `${setup.name}-time.json`), JSON.stringify(rows));
}

function compare(loss: string, key: keyof Epoch, own: readonly Epoch[], torch: readonly Epoch[]) {
  const [ours, theirs] = [own, torch].map((epochs) => epochs.map((epoch) => epoch[key]));
  const [a, b] = [medianOf(ours ?? []), medianOf(theirs ?? [])];
  return {
    loss,
    what: key === 'seconds' ? 'steps and judging' : 'steps',
    ours: summary(ours ?? []),
    PyTorch: summary(theirs ?? []),
    ratio: (a / b).toFixed(2),
  };
}

/** A process of lossgraft's own. */
function timeOwn({ data, out, name }: Setup, loss: string, seed: number): Epoch[] {
  const child = fileURLToPath(new URL('timeChild.ts', import.meta.url));
  const folder = join(out, `${name}-time.run`);
  const config = JSON.stringify({
    name,
    data,
    loss,
    seed,
    folder,
    model: join(out, `${name}-${seed}.onnx`),
    epochs: EPOCHS,
  });
  try {
    return parse(execFileSync(process.execPath, ['--import', 'tsx', child, config], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parse(lines: string): Epoch[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
