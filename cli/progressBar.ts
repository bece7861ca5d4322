import { SingleBar } from 'cli-progress';
import { isWatched } from './log.ts';

/** A progress bar on stderr, for jobs that take more than a second, if someone may be watching. */
export function progressBar(what: string): { update(done: number, total: number): void; stop(): void } {
  const started = Date.now();
  let bar: SingleBar | undefined;
  const update = (done: number, total: number): void => {
    if (!isWatched()) return;
    if (bar === undefined && Date.now() - started > 1000 && done < total) {
      bar = new SingleBar({
        stream: process.stderr,
        format: `${what} {bar} {percentage} % | {value}/{total} | {eta_formatted} left`,
        clearOnComplete: true,
        hideCursor: true,
      });
      bar.start(total, done);
    }
    bar?.update(done);
  };
  return { update, stop: () => bar?.stop() };
}
