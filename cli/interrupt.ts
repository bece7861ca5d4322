import { note } from './io.ts';

/**
 * Ends work in an orderly way on Ctrl-C, SIGTERM, and when the terminal closes (SIGHUP). A second Ctrl-C or SIGTERM ends the process at
 * once. SIGHUP arrives from both the shell and the system, and counts once.
 *
 * @returns a function that removes the handlers.
 */
export function onInterrupt(act: () => void): () => void {
  let isEnding = false;
  const end = (how: string): void => {
    if (isEnding) return;
    isEnding = true;
    act();
    note(`stopping after this step; ${how}`);
  };
  const interrupt = (): void => end('press Ctrl-C again to exit at once');
  const terminate = (): void => end('a second SIGTERM exits at once');
  const hangUp = (): void => end('the terminal was closed');
  process.once('SIGINT', interrupt).once('SIGTERM', terminate).on('SIGHUP', hangUp);
  return () => {
    process.off('SIGINT', interrupt).off('SIGTERM', terminate).off('SIGHUP', hangUp);
  };
}
