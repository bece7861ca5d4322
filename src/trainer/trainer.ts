import { newCollapse } from '../metrics/collapse.ts';
import { METRICS, metricNamed } from '../metrics/metrics.ts';
import type { EpochRecord } from '../records/epoch.ts';
import { type Metrics, metricsOf } from '../records/metrics.ts';
import { type Checkpoint, CUT, cutNotes } from '../records/run.ts';
import type { Scaling } from '../records/scaling.ts';
import { phaseOf, rateAt } from '../records/schedule.ts';
import { setInitialState } from '../thread/runner.ts';
import { unlessAborted } from './abort.ts';
import { calibrateArm } from './calibrate.ts';
import { brokenScores, brokenWeights, mayBeOfRate } from './divergence.ts';
import { type GroupResult, type WalkedEpoch, walkEpoch } from './epoch.ts';
import { finishRun } from './finish.ts';
import { keyOf, type OpenGraph } from './graphPool.ts';
import { type Group, stepsIn } from './groups.ts';
import { type Judgement, judge, type Look } from './judge.ts';
import { watchOrder } from './order.ts';
import { openArm, type RunParts, renewHead, startOf } from './parts.ts';
import type { Prefetcher } from './prefetcher.ts';
import { ProgressMeter } from './progress.ts';
import type { Arm } from './request.ts';

/** The interval of checkpoints within a long epoch. */
const SAVE_SECONDS = 600;

/** Trains the arms and epochs of a run with open parts. */
export class Trainer {
  readonly #parts: RunParts;
  readonly #progress: ProgressMeter;
  #at: Checkpoint;
  #saved: number = performance.now();
  #prefetcher: Prefetcher | undefined;

  constructor(parts: RunParts, at: Checkpoint) {
    const { request, groups, graphs } = parts;
    this.#parts = parts;
    this.#progress = new ProgressMeter(request.schedule, request.arms.length, stepsIn(groups));
    this.#at = { ...at, block: graphs.lowering.block };
  }

  async run(): Promise<{ readonly interrupted: boolean; readonly checkpoint: Checkpoint }> {
    const isDone = await unlessAborted(this.#parts.request.signal, () => this.#trainAll());
    // Before the first step there is no state yet, only a starting point.
    if (!isDone && this.#at.file === '') this.#parts.folder.commit(this.#at);
    return { interrupted: !isDone, checkpoint: this.#at };
  }

  /** @returns false if it was interrupted. */
  async #trainAll(): Promise<boolean> {
    const { request, folder } = this.#parts;
    for (let arm = request.arms[this.#at.arm]; arm !== undefined; arm = request.arms[this.#at.arm]) {
      if (!(await this.#armOrCut(arm))) return false;
    }
    const outcome = await finishRun(this.#parts, this.#at);
    const [best] = this.#at.bests;
    this.#at = { ...this.#at, file: best?.file ?? this.#at.file, shared: null, outcome };
    folder.commit(this.#at);
    return true;
  }

  /** An arm with a non-finite loss is trained again at a lower rate. */
  async #armOrCut(arm: Arm): Promise<boolean> {
    try {
      return await this.#arm(arm);
    } catch (error) {
      const { history, left, cuts } = this.#at;
      if (history.length === 0 || !mayBeOfRate(error) || left?.[arm.name] || cuts?.[arm.name]) throw error;
      this.#cut(arm, error.problem.where.replace(/, batch of .*/s, ''));
      return this.#arm(arm);
    }
  }

  /** Returns to the start of an arm, with a lower learning rate. */
  #cut({ name }: Arm, where: string): void {
    const { folder, request } = this.#parts;
    const { arm, shared, cuts, alphas, history } = this.#at;
    const { [name]: _, ...others } = alphas;
    const start = { epoch: 0, step: 0, lossSum: 0, lossCount: 0, best: null, shared: arm === 0 ? null : shared };
    const kept = history.filter((record) => record.arm !== name || record.phase === 'before');
    this.#at = { ...this.#at, ...start, alphas: others, history: kept, cuts: { ...cuts, [name]: where } };
    folder.commit(this.#at);
    for (const note of cutNotes({ ...this.#at, cuts: { [name]: where } })) request.onNote?.(note);
  }

  /** The factor on an arm's learning rate. */
  #factorOf({ name }: Arm): number {
    return this.#at.cuts?.[name] === undefined ? 1 : CUT;
  }

  /** @returns false if it was interrupted. */
  async #arm(arm: Arm): Promise<boolean> {
    const { schedule } = this.#parts.request;
    const { file, ...start } = startOf(this.#at, arm.name, schedule.ibFrom);
    this.#prefetcher = this.#parts.prefetcherOf(arm);
    await this.#load(file);
    this.#at = { ...this.#at, ...start };
    await this.#judgeGiven(arm);
    if (file === undefined) await renewHead(this.#parts);
    for (let epoch = start.epoch; epoch < schedule.epochs; epoch++) {
      const started = performance.now();
      const walked = await this.#walkSound(arm, epoch, file);
      if (walked.end === 'interrupted') return false;
      await this.#endEpoch(arm, epoch, walked, started);
      if (this.#isOverdue(arm, epoch)) break;
    }
    await this.#leave(arm);
    return true;
  }

  /** Finishes an arm. Its last state is kept, so that a longer run can continue from it. */
  async #leave({ name }: Arm): Promise<void> {
    const { arm, epoch, best, bests, left } = this.#at;
    const next = { arm: arm + 1, epoch: 0, step: 0, best: null, bests: best ? [...bests, best] : bests };
    const end = { epoch, step: 0, lossSum: 0, lossCount: 0, best };
    await this.#save((file) => {
      const last = best?.epoch === epoch ? best.file : file;
      return { ...next, left: { ...left, [name]: { ...end, file: last } } };
    });
  }

  /** Loads the state with which an arm begins or continues. */
  async #load(file: string | undefined): Promise<void> {
    const { runner, folder } = this.#parts;
    const open = await openArm(this.#parts, this.#at);
    if (file === undefined) await setInitialState(runner, open.graph);
    else await runner.ask({ kind: 'load', path: folder.file(file) });
  }

  /** Judges the given model at the start of a run. @throws LossgraftError if its classes differ from the labels. */
  async #judgeGiven(arm: Arm): Promise<void> {
    const { folder, request, runner, judging, notes } = this.#parts;
    folder.writeMetrics(this.#at.history);
    if (this.#at.history.length > 0) return;
    const start = performance.now();
    const { checkOrder } = request;
    const watch = checkOrder && watchOrder(request);
    const judged = await this.#judge(watch?.look);
    if (watch) notes.push(...(await checkOrder(await watch.finish(runner, 'evaluation', judging))));
    if (!Number.isFinite(judged.loss)) throw brokenScores(undefined, judged.loss, folder.path);
    this.#record({ arm: arm.name, epoch: 0, phase: 'before', rate: null, trainLoss: null }, judged, start);
  }

  /** Trains an epoch, and again from the arm's start if its first steps used a wrong graph. */
  async #walkSound(arm: Arm, epoch: number, startFile: string | undefined): Promise<WalkedEpoch> {
    const open = await this.#switch(arm, epoch);
    const { lossSum, lossCount } = this.#at;
    const walked = await this.#walk(arm, epoch, open);
    if (walked.end !== 'refuted') return walked;
    this.#at = { ...this.#at, lossSum, lossCount, block: this.#parts.graphs.lowering.block };
    await this.#load(startFile);
    if (startFile === undefined) await renewHead(this.#parts);
    return this.#walk(arm, epoch, await this.#switch(arm, epoch));
  }

  /** Opens the graph of an epoch's phase. When the loss takes over, it saves the state for the other arms and calibrates alpha. */
  async #switch(arm: Arm, epoch: number): Promise<OpenGraph> {
    const { graphs, runner, request, folder } = this.#parts;
    if (phaseOf(request.schedule, epoch) === 'first') return graphs.train('first', request.first);
    const { arm: index, shared, alphas } = this.#at;
    if (index === 0 && request.schedule.ibFrom > 0 && shared === null) {
      const file = folder.fresh('shared');
      await runner.ask({ kind: 'save', path: folder.file(file) });
      this.#at = { ...this.#at, shared: file };
    }
    if (arm.calibration && alphas[arm.name] === undefined) {
      const alpha = await calibrateArm(graphs, runner, request, arm.calibration, arm.sampler);
      this.#at = { ...this.#at, alphas: { ...this.#at.alphas, [arm.name]: alpha } };
    }
    return graphs.train(keyOf(arm), arm.graph(this.#at.alphas[arm.name]));
  }

  async #walk(arm: Arm, epoch: number, open: OpenGraph): Promise<WalkedEpoch> {
    const { request, runner, groups, graphs, folder } = this.#parts;
    const prefetcher = this.#prefetcher ?? this.#parts.prefetcherOf(arm);
    const { train, schedule, signal } = request;
    const stepsPerEpoch = stepsIn(groups);
    const factor = this.#factorOf(arm);
    const rate = (step: number): number => factor * rateAt(schedule, { epoch, step, stepsPerEpoch });
    let waitSeconds = 0;
    let scaling: Scaling | undefined;
    const next = async ({ step }: Group): Promise<boolean> => {
      // The checkpoint already has this step.
      const isDue = performance.now() - this.#saved > 1000 * SAVE_SECONDS && step !== this.#at.step;
      if (signal?.aborted || isDue) await this.#save({ epoch, step });
      return !signal?.aborted;
    };
    const use = (result: GroupResult): void => {
      waitSeconds += result.waited;
      scaling = result.scaling;
      this.#use(arm, epoch, result);
    };
    const keep = async ({ step }: Group): Promise<string> => {
      if ((await runner.ask({ kind: 'check' })) === '') await this.#save({ epoch, step });
      return folder.path;
    };
    const walked = request.walked?.[epoch];
    const place = { prefetcher, epoch, stepsPerEpoch, groups, from: this.#at.step, rate, walked };
    const started = performance.now() - graphs.lowering.proving;
    const end = await walkEpoch({ runner, open, train, ...place }, next, use, keep);
    const trainSeconds = walked?.seconds ?? (performance.now() - graphs.lowering.proving - started) / 1000;
    return { end, scaling, trainSeconds, waitSeconds };
  }

  #use(arm: Arm, epoch: number, result: GroupResult): void {
    const { request, notes } = this.#parts;
    const { group, losses, note } = result;
    if (note !== undefined) notes.push(note);
    const lossSum = losses.reduce((total, loss) => total + loss * group.batch, this.#at.lossSum);
    this.#at = { ...this.#at, lossSum, lossCount: this.#at.lossCount + losses.length * group.batch };
    const progress = this.#progress.after({ index: this.#at.arm, arm: arm.name, epoch }, result);
    request.onProgress?.(progress);
  }

  async #endEpoch(arm: Arm, epoch: number, walked: WalkedEpoch, started: number): Promise<void> {
    const { request, groups, graphs, runner, folder } = this.#parts;
    const { schedule, select } = request;
    await this.#refuseBroken(epoch);
    const phase = phaseOf(schedule, epoch);
    const last = stepsIn(groups) - 1;
    const rate = this.#factorOf(arm) * rateAt(schedule, { epoch, step: last, stepsPerEpoch: last + 1 });
    const trainLoss = this.#at.lossSum / this.#at.lossCount;
    const judged = await this.#judge().catch(async (error: unknown) => {
      // The epoch's steps are saved: a resumed run judges it first.
      if (request.signal?.aborted) await this.#save({ epoch, step: last + 1 });
      throw error;
    });
    if (!Number.isFinite(judged.loss)) throw brokenScores(epoch, judged.loss, folder.path);
    const { trainSeconds, waitSeconds, scaling } = walked;
    const block = graphs.current.graph.isLowered ? (this.#at.block ?? null) : null;
    const times = { trainSeconds, waitSeconds, block, ...scaling };
    const known = { arm: arm.name, epoch: epoch + 1, phase, rate, trainLoss, ...times };
    const score = this.#record(known, judged, started)[metricNamed(request.selectBy)] ?? Number.NaN;
    const { best } = this.#at;
    const next = { epoch: epoch + 1, step: 0, lossSum: 0, lossCount: 0 };
    if (phase === 'first' || (best !== null && select === 'best' && !this.#isBetter(score, best.score))) {
      return this.#save(next);
    }
    const file = folder.fresh('best');
    await runner.ask({ kind: 'save', path: folder.file(file) });
    await this.#save({ ...next, best: { epoch: epoch + 1, score, file } });
  }

  #isBetter(score: number, best: number): boolean {
    const { better } = METRICS[metricNamed(this.#parts.request.selectBy)];
    return better === 'higher' ? score > best : score < best;
  }

  /** Weights may overflow float32 in the very last update, before any loss shows it. */
  async #refuseBroken(epoch: number): Promise<void> {
    const tensor = await this.#parts.runner.ask({ kind: 'check' });
    if (tensor !== '') throw brokenWeights(epoch, tensor, this.#parts.folder.path);
  }

  /** Whether an arm stops early because no epoch improves. */
  #isOverdue(arm: Arm, epoch: number): boolean {
    const { patience } = this.#parts.request;
    const { best } = this.#at;
    if (patience === undefined || best === null || epoch + 1 - best.epoch < patience) return false;
    this.#parts.notes.push(`${arm.name}: stopped after epoch ${epoch + 1}: no improvement in the last ${patience}`);
    return true;
  }

  async #judge(look?: Look): Promise<Judgement> {
    const started = performance.now();
    const { runner, request, judging } = this.#parts;
    const judgement = await judge(runner, request.validation, 'evaluation', judging, look);
    this.#progress.judged((performance.now() - started) / 1000);
    return judgement;
  }

  #record(
    known: Omit<EpochRecord, keyof Metrics | 'validationLoss' | 'seconds'>,
    judged: Judgement,
    started: number,
  ): EpochRecord {
    const { folder, request } = this.#parts;
    const metrics = metricsOf(judged.scored, request);
    const [given] = this.#at.history;
    const collapse = given && newCollapse(given, metrics, request.data.classNames);
    const lost = collapse === undefined ? {} : { collapse };
    const own = { ...lost, seconds: (performance.now() - started) / 1000 };
    const record: EpochRecord = { ...known, ...metrics, validationLoss: judged.loss, ...own };
    this.#at = { ...this.#at, history: [...this.#at.history, record] };
    folder.writeMetrics(this.#at.history);
    request.onEpoch?.(record);
    return record;
  }

  /** Writes the runner's state and makes it the checkpoint. */
  async #save(change: Partial<Checkpoint> | ((file: string) => Partial<Checkpoint>)): Promise<void> {
    const { runner, folder } = this.#parts;
    const file = folder.fresh('state');
    await runner.ask({ kind: 'save', path: folder.file(file) });
    this.#at = { ...this.#at, ...(typeof change === 'function' ? change(file) : change), file };
    folder.commit(this.#at);
    this.#saved = performance.now();
  }
}
