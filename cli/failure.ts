import { LossgraftError } from '../src/catalogue.ts';
import { withFlagsIn } from './flags.ts';
import { print, printable } from './io.ts';
import { tellError } from './log.ts';
import { UsageError } from './usage.ts';

/** The exit statuses. The help and docs/commands.md list them. */
export const STATUS = {
  done: { code: 0, when: 'all went well' },
  failed: { code: 1, when: 'a check failed, or training found no better model' },
  refused: { code: 2, when: 'wrong usage, bad input, or an unreadable or unwritable file' },
  diverged: { code: 3, when: 'training diverged: loss or weights were not finite' },
  defect: { code: 70, when: 'a defect of lossgraft' },
  interrupted: { code: 130, when: 'a training that Ctrl-C ended' },
} as const;

/** The exit status for an error. */
export function statusOf(error: unknown): number {
  if (error instanceof LossgraftError) {
    return error.code === 'nan-loss' ? STATUS.diverged.code : STATUS.refused.code;
  }
  return error instanceof UsageError ? STATUS.refused.code : STATUS.defect.code;
}

/**
 * Reports an error: one message on stderr, and with `json` also an object `error` on stdout. The stack is shown only on request, or if
 * the error is a defect of lossgraft.
 */
export async function printFailure(
  error: unknown,
  { debug, json, help }: { readonly debug: boolean; readonly json: boolean; readonly help: string },
): Promise<void> {
  tellError(`lossgraft: ${explain(error, help)}\n`);
  if (json) await print(`${JSON.stringify({ error: failure(error, help) }, null, 2)}\n`);
  const isExpected = error instanceof LossgraftError || error instanceof UsageError;
  if (isExpected && !debug) return;
  for (let thrown = error; thrown instanceof Error; thrown = thrown.cause) tellError(`${thrown.stack}\n`);
}

/** An error as data. */
function failure(error: unknown, help: string): Readonly<Record<string, unknown>> {
  const status = statusOf(error);
  if (error instanceof LossgraftError) {
    return { ...withFlagsIn(error), options: error.options, message: messageOf(error), status };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { code: 'usage', hint: `${help} shows the usage`, message, status };
  return { code: 'defect', message, status, ...(error instanceof Error ? { stack: error.stack } : {}) };
}

/** The message, with flags for options. */
function messageOf(error: LossgraftError): string {
  return new LossgraftError(withFlagsIn(error)).message;
}

function explain(error: unknown, help: string): string {
  if (error instanceof UsageError) return `${printable(error.message)}\n${help} shows the usage`;
  if (error instanceof LossgraftError) return printable(messageOf(error));
  return `this is a defect of lossgraft, please report it with what follows\n${error instanceof Error ? '' : String(error)}`;
}
