import { LossgraftError, option } from '../errors.ts';
import type { LowerTarget } from '../lower/layouts.ts';
import { machineLowering } from '../lower/machine.ts';
import type { Model } from '../model.ts';
import type { Provider } from '../runtime/session.ts';
import { sessionGraph, type TrainGraph, type TrainGraphRequest } from '../trainGraph/trainGraph.ts';
import { halfOf } from '../transform/halfPrecision.ts';
import { disagreement } from './disagreement.ts';
import { keepProof, proofKey, wasProved } from './proofCache.ts';
import type { TrainerRequest } from './request.ts';

export type LoopRequest = Omit<TrainGraphRequest, 'form' | 'stepsPerRun' | 'lower' | 'roundsHalves'>;

/** Builds the training graphs of a run, lowered to this machine's forms or plain. It alone decides which. */
export class Lowering {
  readonly #model: Model;
  readonly #provider: Provider;
  #target: LowerTarget | undefined;
  #rounds = false;
  #isProved = false;
  #proving = 0;

  constructor(model: Model, provider: Provider) {
    this.#model = model;
    this.#provider = provider;
  }

  /** Channels in a block; `null` for plain forms. */
  get block(): number | null {
    return this.#target?.block ?? null;
  }

  /** Milliseconds that the proof took. */
  get proving(): number {
    return this.#proving;
  }

  /**
   * Decides for the run.
   *
   * @param before for a resumed run: its block size when it began.
   * @returns a note if this machine has no other forms.
   * @throws LossgraftError `lowering-differs` if this machine's runtime cannot continue in the same form.
   */
  async settle(
    { provider, lower = 'auto', first, batchSize }: TrainerRequest,
    before: number | null | undefined,
  ): Promise<string | undefined> {
    this.#rounds = provider === 'cpu' && halfOf(first.precision) !== undefined;
    if (this.#rounds)
      return `Half precision is computed in float32 and rounded on the CPU: slower than ${option('precision', 'float32')}`;
    if (provider !== 'cpu' || lower === 'off' || before === null) return undefined;
    const { block, why } = await machineLowering(first.calculus);
    if (before !== undefined && before !== block) {
      throw new LossgraftError({
        code: 'lowering-differs',
        where: 'the run that is gone on with',
        expected: `a machine whose runtime uses blocks of ${before} channels, like the one where the run started`,
        found: why,
        hint: 'Continue it there, or start a new run here',
      });
    }
    if (block === null) return `Training uses the plain forms: ${why}`;
    this.#target = { block, batch: batchSize };
    return undefined;
  }

  /** @param batch if it differs from the run's: blocked forms are made for one batch size. */
  build(request: LoopRequest, batch?: number): Promise<TrainGraph> {
    const target = this.#target;
    if (target === undefined) return this.#plain(request);
    return sessionGraph(this.#model, {
      ...request,
      lower: { ...target, batch: batch ?? target.batch },
      form: 'loop',
    });
  }

  #plain(request: LoopRequest): Promise<TrainGraph> {
    // A Scan is the CPU's: on WebGPU the whole state would go to and fro in every iteration.
    if (this.#provider === 'webgpu') return sessionGraph(this.#model, { ...request, target: 'webgpu', form: 'step' });
    const forms = this.#rounds ? { roundsHalves: true } : {};
    return sessionGraph(this.#model, { ...request, ...forms, form: 'loop' });
  }

  /** Whether a graph is for batches of that size. */
  fits({ isLowered }: TrainGraph, batch: number): boolean {
    return !isLowered || batch === this.#target?.batch;
  }

  /**
   * Compares a lowered graph with its plain form, once per run.
   *
   * @returns why they disagree: graphs built from now on are plain.
   */
  async disprove(request: LoopRequest, graph: TrainGraph): Promise<string | undefined> {
    const target = this.#target;
    if (target === undefined || this.#isProved || !graph.isLowered) return undefined;
    this.#isProved = true;
    const started = performance.now();
    const why = await this.#compare(request, graph, target);
    this.#proving += performance.now() - started;
    if (why !== undefined) this.#target = undefined;
    return why;
  }

  async #compare(request: LoopRequest, graph: TrainGraph, target: LowerTarget): Promise<string | undefined> {
    const key = proofKey(graph, target);
    if (wasProved(key)) return undefined;
    const plain = await this.#plain(request);
    const loss = graph.report.names.loss ?? 'loss';
    const where = { batch: target.batch, externalDataFolder: this.#model.dir, loss };
    const why = await disagreement({ plain, lowered: graph }, where);
    if (why === undefined) keepProof(key);
    return why;
  }
}
