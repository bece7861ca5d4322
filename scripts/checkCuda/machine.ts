import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Gpu, Machine, Python } from './result.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const FIELDS = ['index', 'uuid', 'name', 'driver_version', 'memory.total', 'compute_cap', 'mig.mode.current'] as const;

/** Asks nvidia-smi and python3; whatever does not answer is a note, and never an error. */
export function askMachine(runtime: string, environment: Environment = process.env): Machine {
  const notes: string[] = [];
  const gpu = findGpu(environment, notes);
  const python = askPython(environment, gpu !== null);
  const [processor] = cpus();
  return {
    gpu,
    notes,
    python,
    node: process.version,
    runtime,
    processor: processor?.model ?? '?',
    cores: cpus().length,
  };
}

function findGpu(environment: Environment, notes: string[]): Gpu | null {
  const visible = environment.CUDA_VISIBLE_DEVICES;
  if (visible !== undefined && /^(-.*)?$/.test(visible.trim())) {
    notes.push(`CUDA_VISIBLE_DEVICES="${visible}" hides all GPUs`);
    return null;
  }
  const listed = ask(environment, 'nvidia-smi', [`--query-gpu=${FIELDS.join()}`, '--format=csv,noheader,nounits']);
  if (!listed.ok) {
    notes.push(`nvidia-smi: ${listed.why}`);
    return null;
  }
  const all = listed.out
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(',').map((cell) => cell.trim()));
  const [first = ''] = (visible ?? '0').split(',').map((part) => part.trim());
  const row = rowOf(environment, all, first);
  if (row === undefined) {
    notes.push(`CUDA_VISIBLE_DEVICES=${visible} names no GPU of nvidia-smi's ${all.length}`);
    return null;
  }
  const [index, uuid = '', name = '', driver = '', memory = '', computeCapability = '', mig = ''] = row;
  if (all.length > 1) notes.push(`GPU ${index} of ${all.length} is used (CUDA_VISIBLE_DEVICES=${visible ?? 'unset'})`);
  if (mig === 'Enabled')
    notes.push(`MIG is on: ${first.startsWith('MIG-') ? first : "CUDA's first instance"} is used, a part of the card`);
  const [, cuda = 'unknown'] = /CUDA Version: *([\d.]+)/.exec(ask(environment, 'nvidia-smi', []).out) ?? [];
  return { name, uuid, driver, cuda, memory: `${memory} MiB`, computeCapability, mig };
}

/** By index, by the beginning of a UUID, or by that of a MIG instance, which nvidia-smi -L lists below its card. */
function rowOf(environment: Environment, all: readonly string[][], wanted: string): string[] | undefined {
  if (/^\d+$/.test(wanted)) return all.find(([index]) => index === wanted);
  if (!wanted.startsWith('MIG-')) return all.find(([, uuid = '']) => uuid.startsWith(wanted));
  let card = '';
  for (const line of ask(environment, 'nvidia-smi', ['-L']).out.split('\n')) {
    [, card = card] = /^GPU \d+:.*\(UUID: (GPU-[^)]+)\)/.exec(line) ?? [];
    if (line.includes(wanted)) return all.find(([, uuid]) => uuid === card);
  }
  return undefined;
}

const PROBE = `
import json, sys
found = {'version': sys.version.split()[0]}
try:
    import torch
    found['torch'] = torch.__version__
    found['cuda'] = torch.version.cuda or ''
    found['cudnn'] = str(torch.backends.cudnn.version() or '')
    found['sees'] = torch.cuda.is_available()
except Exception as error:
    found['error'] = f'{type(error).__name__}: {error}'
print(json.dumps(found))
`;

function askPython(environment: Environment, needsGpu: boolean): Python {
  const answer = ask(environment, 'python3', ['-c', PROBE]);
  if (!answer.ok) return { ok: false, why: `python3: ${answer.why}` };
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(answer.out.trim().split('\n').at(-1) ?? '');
  } catch {
    return { ok: false, why: `python3 answered ${JSON.stringify(answer.out.slice(0, 100))}` };
  }
  const text = (key: string): string => String(found[key] ?? '');
  if (text('error') !== '')
    return { ok: false, why: `python3 ${text('version')} has no PyTorch (${text('error').slice(0, 200)})` };
  if (needsGpu && found.sees !== true) return { ok: false, why: `PyTorch ${text('torch')} does not see the GPU` };
  return { ok: true, version: text('version'), torch: text('torch'), cuda: text('cuda'), cudnn: text('cudnn') };
}

interface Answer {
  readonly ok: boolean;
  readonly out: string;
  readonly why: string;
}

/** Milliseconds: PyTorch's first import from a cold disk takes a minute; a driver that hangs never answers. */
const PATIENCE = 90_000;

function ask(environment: Environment, command: string, args: readonly string[]): Answer {
  const {
    error,
    status,
    signal,
    stdout = '',
    stderr = '',
  } = spawnSync(command, args, {
    env: { ...environment },
    encoding: 'utf8',
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  });
  if (error && 'code' in error && error.code === 'ENOENT') return { ok: false, out: '', why: 'not found' };
  if (error && 'code' in error && error.code === 'ETIMEDOUT')
    return { ok: false, out: '', why: `no answer in ${PATIENCE / 1000} s` };
  if (status === 0) return { ok: true, out: stdout, why: '' };
  const said = `${stderr}${stdout}`.trim().split('\n').at(-1) ?? '';
  return {
    ok: false,
    out: '',
    why: `${signal ?? `exit code ${status}`}${said === '' ? '' : `, ${said.slice(0, 200)}`}`,
  };
}

const LIBRARIES = `
import glob, os, sysconfig
print(':'.join(sorted({os.path.dirname(f) for f in glob.glob(sysconfig.get_paths()['purelib'] + '/nvidia/**/*.so*', recursive=True)})))
`;

/** LD_LIBRARY_PATH with the folders of python3's nvidia packages behind what it has. */
export function libraryPath(environment: Environment = process.env): string {
  const { ok, out } = ask(environment, 'python3', ['-c', LIBRARIES]);
  const own = environment.LD_LIBRARY_PATH ?? '';
  const known = own.split(':').filter(Boolean);
  const more = ok
    ? out
        .trim()
        .split(':')
        .filter((folder) => folder !== '' && !known.includes(folder))
    : [];
  return [...known, ...more].join(':');
}
