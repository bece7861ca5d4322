import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Collector, type Item } from './collector.ts';
import { networkFile, type PartContext } from './context.ts';
import { selfCommand } from './self.ts';
import type { TimedNetwork, TimingTask } from './timing.ts';

/** Of one network in one setting. */
const SECONDS = 2;
/** Each engine's process in turn, twice, so that both meet the same machine. */
const ROUNDS = 2;
const MODES = ['float32', 'tf32', 'mixed'] as const;
type Mode = (typeof MODES)[number];
/** PyTorch's words for the same. */
const TORCH: Readonly<Record<Mode, string>> = { float32: 'float32', tf32: 'tf32', mixed: 'autocast' };

interface Timed {
  readonly name: string;
  readonly ms: number;
}

/** What processes of both engines printed, and the most memory that the card had in use meanwhile. */
interface Turn {
  readonly engine: 'lossgraft' | 'PyTorch';
  readonly mode: Mode;
  readonly timed: readonly Timed[];
  readonly peakMiB: number | null;
}

/** Step times of lossgraft and of PyTorch's eager mode, in turns. */
export async function checkSpeed(context: PartContext): Promise<void> {
  const networks = timedNetworks(context);
  const turns: Turn[] = [];
  const plan = Array.from({ length: ROUNDS }, () => MODES).flatMap((modes) =>
    modes.flatMap((mode) => (['lossgraft', 'PyTorch'] as const).map((engine) => ({ engine, mode }))),
  );
  const collector = new Collector(context.out, networks.length === 0 ? 0 : plan.length, context.until);
  if (networks.length === 0) return;
  await collector.each(
    plan,
    ({ engine, mode }) => `${engine}, ${mode}`,
    async ({ engine, mode }): Promise<Item> => {
      const turn = await takeTurn(engine, mode, networks, context);
      turns.push(turn);
      const missing = networks
        .filter(({ name }) => !turn.timed.some((timed) => timed.name === name))
        .map(({ name }) => name);
      const row = {
        engine,
        mode,
        ...Object.fromEntries(turn.timed.map(({ name, ms }) => [`${name}, ms`, Number(ms.toPrecision(3))])),
        'peak MiB on the card': turn.peakMiB,
      };
      if (missing.length === 0) return { row };
      const said = `no time of ${missing.join(', ')}`;
      return Date.now() >= context.until
        ? { row, note: `${engine}, ${mode}: ${said} when the part's time ended` }
        : { row, failure: said };
    },
  );
}

function timedNetworks(context: PartContext): TimedNetwork[] {
  const list = join(context.work, 'networks', 'list.json');
  if (!existsSync(list)) return [];
  const found: { name: string; batch: number; norms: boolean }[] = JSON.parse(readFileSync(list, 'utf8'));
  return found.map(({ name, batch, norms }) => ({ name, batch, norms, path: networkFile(context, name) }));
}

async function takeTurn(
  engine: Turn['engine'],
  mode: Mode,
  networks: readonly TimedNetwork[],
  context: PartContext,
): Promise<Turn> {
  const { provider, until } = context;
  const seconds = provider === 'cuda' ? SECONDS : 0;
  const task: TimingTask = { provider, mode, seconds, networks };
  const device = provider === 'cuda' ? 'cuda' : 'cpu';
  const [command, ...args] =
    engine === 'lossgraft'
      ? selfCommand(['--time', JSON.stringify(task)])
      : [
          'python3',
          fileURLToPath(new URL('./pytorch.py', import.meta.url)),
          'time',
          device,
          String(seconds),
          TORCH[mode],
          ...networks.map(({ name }) => name),
        ];
  const before = usedMemory();
  let peak = before;
  const watch = setInterval(() => {
    const used = usedMemory();
    if (used !== null) peak = Math.max(peak ?? 0, used);
  }, 500);
  try {
    const out = await output(
      command,
      args,
      mode === 'float32' ? { NVIDIA_TF32_OVERRIDE: '0' } : { NVIDIA_TF32_OVERRIDE: undefined },
      until,
    );
    const timed = out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Timed] : []));
    return { engine, mode, timed, peakMiB: peak === null || before === null ? null : peak - before };
  } finally {
    clearInterval(watch);
  }
}

/** MiB in use on the card; `null` where nvidia-smi does not say, as of a MIG instance. */
function usedMemory(): number | null {
  const wanted = process.env.LOSSGRAFT_CHECK_GPU ?? '';
  const { stdout = '' } = spawnSync(
    'nvidia-smi',
    ['--query-gpu=memory.used', '--format=csv,noheader,nounits', ...(wanted === '' ? [] : ['-i', wanted])],
    {
      encoding: 'utf8',
      timeout: 5000,
    },
  );
  const used = Number.parseFloat(stdout ?? '');
  return Number.isFinite(used) ? used : null;
}

function output(
  command = '',
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  until: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: Math.max(1, until - Date.now()),
      killSignal: 'SIGKILL',
    });
    let [out, log] = ['', ''];
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      log = `${log}${chunk}`.slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      // What was timed before counts: a process that is killed at the end of the time had printed it.
      if (code === 0 || out.includes('{') || Date.now() >= until) resolve(out);
      else reject(new Error(`ended with ${signal ?? `exit code ${code}`}: ${log.trim().split('\n').at(-1) ?? ''}`));
    });
  });
}
