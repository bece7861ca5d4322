import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Found, NOTHING, type PartResult, type Verdict } from './result.ts';

/** What of a part its runner must know. */
export interface PlannedPart {
  readonly name: string;
  readonly title: string;
  /** What it looks at. */
  readonly about: string;
  /** Seconds. All parts together take less than eight minutes. */
  readonly budget: number;
  /** Processes that share its items. */
  readonly processes: number;
}

export interface RunPlan {
  readonly work: string;
  /** When the whole check must be over, as `Date.now()` tells it. */
  readonly deadline: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Seconds that a process has for its last item, before it is killed. Default 8. */
  readonly grace?: number;
  /** The command of one process of a part, which writes what it finds to `out` and begins nothing after `until`. */
  command(
    part: PlannedPart,
    process: { readonly index: number; readonly out: string; readonly until: number },
  ): readonly string[];
}

const GRACE = 8;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly killed: boolean;
  readonly log: string;
}

/** Runs one part in its processes. Whatever becomes of them, there is a result: what they had written before counts. */
export async function runPart(part: PlannedPart, plan: RunPlan): Promise<PartResult> {
  const started = Date.now();
  const left = (plan.deadline - started) / 1000 - (plan.grace ?? GRACE);
  if (left < 1) return skipped(part, 'no time was left');
  const budget = Math.min(part.budget, left);
  const until = started + 1000 * budget;
  const processes = Array.from({ length: part.processes }, (_, index) => index);
  const ended = await Promise.all(processes.map((index) => runProcess(part, plan, index, until)));
  const found = processes.map((index) => readFound(fileOf(plan, part, index)));
  const whole = found.reduce<Found>((sum, each) => joined(sum, each ?? NOTHING), NOTHING);
  const { verdict, why } = judged(whole, ended, found.includes(undefined), budget);
  return { ...whole, ...namesOf(part), verdict, why, seconds: Math.round((Date.now() - started) / 100) / 10 };
}

/** The result of a part that is not run. */
export function skipped(part: PlannedPart, why: string): PartResult {
  return { ...NOTHING, ...namesOf(part), verdict: 'skipped', why, seconds: 0 };
}

function namesOf({ name, title, about }: PlannedPart): Pick<PartResult, 'part' | 'title' | 'about'> {
  return { part: name, title, about };
}

function judged(
  found: Found,
  ended: readonly Ended[],
  isMissing: boolean,
  budget: number,
): { verdict: Verdict; why: string } {
  const crash = ended.find(({ code, killed }) => code !== 0 && !killed);
  if (found.failures.length > 0) return { verdict: 'failed', why: `${found.failures.length} of ${found.total} failed` };
  if (crash)
    return {
      verdict: 'crashed',
      why: `a process ended with ${crash.signal ?? `exit code ${crash.code}`}: ${errorIn(crash.log)}`,
    };
  if (found.done === 0 && ended.some(({ killed }) => killed))
    return { verdict: 'crashed', why: `no answer in ${Math.round(budget)} s` };
  if (isMissing || found.done < found.total)
    return { verdict: 'incomplete', why: `${found.done} of ${found.total} in ${Math.round(budget)} s` };
  if (found.total === 0) return { verdict: 'skipped', why: 'there was nothing to look at' };
  return { verdict: 'passed', why: `${found.done} of ${found.total}` };
}

function fileOf({ work }: RunPlan, { name }: PlannedPart, index: number): string {
  return join(work, `${name}-${index}.json`);
}

function runProcess(part: PlannedPart, plan: RunPlan, index: number, until: number): Promise<Ended> {
  const [command = '', ...args] = plan.command(part, { index, out: fileOf(plan, part, index), until });
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: plan.environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let log = '';
    let killed = false;
    const collect = (chunk: Buffer): void => {
      log = `${log}${chunk}`.slice(-4000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const timer = setTimeout(
      () => {
        killed = true;
        endGroup(child.pid);
      },
      until - Date.now() + 1000 * (plan.grace ?? GRACE),
    );
    const finish = (ended: Omit<Ended, 'killed' | 'log'>): void => {
      clearTimeout(timer);
      resolve({ ...ended, killed, log });
    };
    child.on('error', (error) => {
      log += error.message;
      finish({ code: -1, signal: null });
    });
    child.on('close', (code, signal) => finish({ code, signal }));
  });
}

/** The process with all that it started. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function readFound(path: string): Found | undefined {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

function joined(a: Found, b: Found): Found {
  return {
    done: a.done + b.done,
    total: a.total + b.total,
    failures: [...a.failures, ...b.failures],
    rows: [...a.rows, ...b.rows],
    notes: [...a.notes, ...b.notes],
  };
}

/** Of the log of a process that ended: its error, or else its last words. */
function errorIn(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? 'no word').trim().slice(0, 300);
}
