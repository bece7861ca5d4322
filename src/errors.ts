import type { ErrorCode } from './errorCodes.ts';

/** The parts of a {@link LossgraftError}, each a phrase without a full stop. {@link option} writes the names of options. */
export interface Problem {
  /** The problem's code, for programs. */
  readonly code: ErrorCode;
  /** Its place: file, node, tensor, row or option (`option classCounts`). */
  readonly where: string;
  readonly expected: string;
  readonly found: string;
  /** What to do about it. */
  readonly hint: string;
  readonly cause?: unknown;
}

/** The one error class of lossgraft. `message` reads `[where] expected …, found …. hint.` */
export class LossgraftError extends Error {
  override readonly name = 'LossgraftError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`[${problem.where}] expected ${problem.expected}, found ${problem.found}. ${problem.hint}.`, {
      cause: problem.cause,
    });
    this.problem = problem;
  }

  get code(): ErrorCode {
    return this.problem.code;
  }

  /** The keys of the options it mentions, each once: first in `where`, then the hint, then the others. */
  get options(): readonly string[] {
    const { where, hint, expected, found } = this.problem;
    const [, own] = /^option (\w+)/.exec(where) ?? [];
    const named = [where, hint, expected, found].flatMap((text) => [...text.matchAll(NAMED)].map(([, key]) => key));
    return [...new Set([own, ...named].filter((key) => key !== undefined))];
  }
}

/** The output of {@link option}: `key`, or `key: value` with the value as JSON, in backticks. */
const NAMED = /`([a-z]\w*)(?:: ("(?:[^"\\]|\\.)*"|[\w.-]+))?`/g;

/**
 * Writes an option in a text as programs pass it: `classCounts`, or with a value `trainable: "head"`. The command line rewrites it as a
 * flag, see {@link rewriteOptions}.
 */
export function option(key: string, value?: string | number | boolean): string {
  return value === undefined ? `\`${key}\`` : `\`${key}: ${JSON.stringify(value).replaceAll('`', '\\u0060')}\``;
}

/** A text whose options are rewritten by `write`; those for which it returns nothing stay. */
export function rewriteOptions(
  text: string,
  write: (key: string, value: string | number | boolean | undefined) => string | undefined,
): string {
  return text.replace(NAMED, (named: string, key: string, value: string | undefined) => {
    return write(key, value === undefined ? undefined : (parsed(value) ?? value)) ?? named;
  });
}

function parsed(value: string): string | number | boolean | undefined {
  try {
    return JSON.parse(value) as string | number | boolean;
  } catch {
    return undefined;
  }
}
