import type { EpochRecord } from '../records/epoch.ts';
import type { TrainProgress } from '../records/progress.ts';
import type { Checkpoint } from '../records/run.ts';
import type { LiveReport, Report } from '../report/index.ts';
import { beginning, RunFolder } from '../runFolder/checkpoint.ts';
import type { TrainOptions } from './options.ts';
import { factsOf, type ReportedRun } from './report.ts';

/** Milliseconds between two progress lines. */
const EVERY = 500;

/** The live view of a run, if requested; otherwise nothing. */
export class LiveRun {
  readonly #serve: TrainOptions['serve'];
  #page: LiveReport | undefined;
  #run: Omit<ReportedRun, 'checkpoint'> | undefined;
  /** The epochs since this process began. */
  readonly #heard: EpochRecord[] = [];
  #isNew = false;
  #said = 0;
  #last: Report | undefined;

  constructor({ serve }: TrainOptions) {
    this.#serve = serve;
  }

  /** Listens to the run's events. */
  heard(options: TrainOptions): TrainOptions {
    if (!this.#serve) return options;
    return {
      ...options,
      onEpoch: (record) => {
        options.onEpoch?.(record);
        this.#heard.push(record);
        // The checkpoint does not have it yet.
        this.#isNew = true;
      },
      onProgress: (progress) => {
        options.onProgress?.(progress);
        this.#hear(progress);
      },
    };
  }

  /** Serves the page from now on. @throws LossgraftError `serve-failed` */
  async open(run: Omit<ReportedRun, 'checkpoint'>): Promise<void> {
    if (!this.#serve) return;
    const { serveReport } = await import('../report/index.ts');
    this.#run = run;
    this.#page = await serveReport(this.#serve === true ? 0 : this.#serve);
    run.options.onNote?.(`The report while this run trains, on this machine alone: ${this.#page.url}`);
    this.#page.progress('The run begins');
    this.#page.show(() => this.#report(run));
  }

  /** The final page. */
  end(report: Report): void {
    this.#last = report;
  }

  async close(): Promise<void> {
    await this.#page?.close(this.#last ?? (this.#run && { ...this.#report(this.#run), isRunning: false }));
    this.#page = undefined;
  }

  #hear(progress: TrainProgress): void {
    const now = performance.now();
    const isLast = progress.done === progress.total;
    if (now - this.#said > EVERY || isLast) {
      this.#said = now;
      this.#page?.progress(isLast ? 'All steps are done; the models are judged' : describe(progress));
    }
    if (!this.#isNew || !this.#run) return;
    const run = this.#run;
    this.#isNew = false;
    this.#page?.show(() => this.#report(run));
  }

  #report(run: Omit<ReportedRun, 'checkpoint'>): Report {
    const facts = factsOf({ ...run, checkpoint: this.#checkpoint(run.options) });
    return { ...facts, isRunning: true, influence: null, samples: [], mistakes: [] };
  }

  /** The folder of a new run may still hold another one. */
  #checkpoint({ folder, mode }: TrainOptions): Checkpoint {
    const isOurs = this.#heard.length > 1 || mode === 'resume';
    const found = isOurs ? new RunFolder(folder).checkpoint() : undefined;
    return found ?? { ...beginning({}), history: this.#heard };
  }
}

function describe({ arm, epoch, epochs, step, stepsPerEpoch, loss, done, total }: TrainProgress): string {
  const share = Math.floor((100 * done) / total);
  return `${arm}, epoch ${epoch} of ${epochs}, step ${step} of ${stepsPerEpoch}: loss ${loss.toPrecision(4)}; ${share} % of the run`;
}
