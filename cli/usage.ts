/** A command line that cannot be meant. */
export class UsageError extends Error {}

/** Did yargs or a command object to the command line? */
export function isUsageError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'YError' || error instanceof UsageError);
}
