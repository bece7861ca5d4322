import type { ErrorCode } from './errorCodes.ts';

/** What a {@link LossgraftError} says: each part is a phrase without a full stop. Options are named by {@link option}. */
export interface Problem {
  /** The name of the problem, for programs. */
  readonly code: ErrorCode;
  /** Where it is: file, node, tensor, row or option (`option classCounts`). */
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

  /** The options that it names, by their keys, each once: where it is first, then those of the hint, then the others. */
  get options(): readonly string[] {
    const { where, hint, expected, found } = this.problem;
    const [, own] = /^option (\w+)/.exec(where) ?? [];
    const named = [where, hint, expected, found].flatMap((text) => [...text.matchAll(NAMED)].map(([, key]) => key));
    return [...new Set([own, ...named].filter((key) => key !== undefined))];
  }
}

/** What {@link option} writes: `key`, or `key: value` with the value as JSON, between backticks. */
const NAMED = /`([a-z]\w*)(?:: ("(?:[^"\\]|\\.)*"|[\w.-]+))?`/g;

/**
 * Names an option in a text, as a program gives it: `classCounts`, or with a value `trainable: "head"`. The command line writes it as its
 * own, see {@link rewriteOptions}.
 */
export function option(key: string, value?: string | number | boolean): string {
  return value === undefined ? `\`${key}\`` : `\`${key}: ${JSON.stringify(value).replaceAll('`', '\\u0060')}\``;
}

/** A text with the options that it names as `write` has them; where it gives nothing, they stay. */
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
