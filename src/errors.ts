/** What a {@link LossgraftError} says: each part is a phrase without a full stop. */
export interface Problem {
  /** A stable kebab-case name of the problem, for programs. */
  readonly code: string;
  /** Where it is: file, node, tensor, row or option. */
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

  get code(): string {
    return this.problem.code;
  }
}
