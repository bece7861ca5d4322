import { augmenter, batchSizesOf, type Part } from '../data/samples.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { Metrics } from '../records/metrics.ts';
import type { Checkpoint } from '../records/run.ts';
import { phaseOf, rateAt } from '../records/schedule.ts';
import { beginning, RunFolder } from '../runFolder/checkpoint.ts';
import { withoutTf32 } from '../runtime/cuda/guard.ts';
import { type Runner, setInitialState, startRunner } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';
import { calibrateArm } from './calibrate.ts';
import { brokenWeights } from './divergence.ts';
import { type EpochEnd, type GroupResult, walkEpoch } from './epoch.ts';
import { describeFeatures, type FeaturePlan, planFeatures } from './featurePlan.ts';
import { type FinishContext, finishRun } from './finish.ts';
import { GraphPool, keyOf, type OpenGraph } from './graphPool.ts';
import { type Group, stepsIn } from './groups.ts';
import { type Judgement, judge, SEEN } from './judge.ts';
import { type GroupPlan, planGroups } from './planGroups.ts';
import { Prefetcher } from './prefetcher.ts';
import { progressAt } from './progress.ts';
import type { Arm, TrainedRun, TrainerRequest } from './request.ts';

/** A long epoch is checkpointed in between. */
const SAVE_SECONDS = 600;

/** Trains all arms, or goes on where a run was left. @throws LossgraftError as its parts do; the last checkpoint stays whole. */
export async function runTraining(request: TrainerRequest): Promise<TrainedRun> {
  if (request.provider === 'cuda') withoutTf32();
  const runner = startRunner();
  let trainer: Trainer | undefined;
  try {
    trainer = new Trainer(request, runner);
    return await trainer.run();
  } finally {
    trainer?.close();
    await runner.close();
  }
}

class Trainer {
  #request: TrainerRequest;
  readonly #runner: Runner;
  readonly #graphs: GraphPool;
  readonly #folder: RunFolder;
  readonly #augment: ReturnType<typeof augmenter>;
  readonly #notes: string[] = [];
  readonly #started: number = performance.now();
  #at: Checkpoint;
  #plan: GroupPlan | undefined;
  #prefetcher: Prefetcher | undefined;
  #features: FeaturePlan | undefined;
  #evaluation: Evaluation | undefined;
  #stepsHere = 0;
  /** Seconds of the epoch's steps so far, and of them without data. */
  #clock = { training: 0, waiting: 0 };
  #saved: number = performance.now();

  constructor(request: TrainerRequest, runner: Runner) {
    this.#request = request;
    this.#runner = runner;
    this.#graphs = new GraphPool(request.model, runner, request.provider, request.threads);
    this.#folder = new RunFolder(request.folder, request.data.classNames);
    this.#augment = augmenter(request.data, request.ports, request.augmentation);
    this.#at = this.#folder.begin(request.mode, request.settings) ?? beginning(request.settings);
  }

  async run(): Promise<TrainedRun> {
    const { arms } = this.#request;
    if (this.#at.outcome) return this.#trained(false);
    await this.#lower();
    await this.#freeze();
    for (let arm = arms[this.#at.arm]; arm !== undefined; arm = arms[this.#at.arm]) {
      if (!(await this.#arm(arm))) return this.#trained(true);
    }
    const outcome = await finishRun(await this.#done(), this.#at);
    const [best] = this.#at.bests;
    this.#at = { ...this.#at, file: best?.file ?? this.#at.file, shared: null, outcome };
    this.#folder.commit(this.#at);
    return this.#trained(false);
  }

  #trained(interrupted: boolean): TrainedRun {
    const [given] = this.#at.history;
    const seen = given?.phase === 'before' && given.accuracy === 1 ? [SEEN] : [];
    const features = this.#features ? { features: this.#features.report } : {};
    const notes = [...this.#graphs.notes, ...seen, ...this.#notes];
    return { interrupted, checkpoint: this.#at, ...features, notes };
  }

  /** A run that goes on does as it did before, to the last bit; elsewhere that cannot be. */
  async #lower(): Promise<void> {
    const { lowering } = this.#graphs;
    const note = await lowering.settle(this.#request, this.#at.block);
    this.#at = { ...this.#at, block: lowering.block };
    if (note !== undefined) this.#notes.push(note);
  }

  /** What is frozen gets a graph of its own, and is computed once where that can be done: a run that goes on decides the same. */
  async #freeze(): Promise<void> {
    const { cacheFeatures: mode = 'auto' } = this.#request;
    const plan = await planFeatures({ request: this.#request, runner: this.#runner, graphs: this.#graphs, mode });
    const { train, validation, report } = plan;
    this.#features = plan;
    this.#request = { ...this.#request, train, validation };
    const note = describeFeatures(report);
    if (note !== undefined) this.#notes.push(note);
  }

  close(): void {
    this.#features?.close();
  }

  /** @returns false where it was interrupted. */
  async #arm(arm: Arm): Promise<boolean> {
    const { schedule, patience } = this.#request;
    const begun = this.#at;
    await this.#start(arm);
    for (let epoch = this.#at.epoch; epoch < schedule.epochs; epoch++) {
      const started = performance.now();
      await this.#switch(arm, epoch);
      const walked = await this.#epoch(arm, epoch);
      if (walked === 'interrupted') return false;
      if (walked === 'refuted') {
        this.#at = begun;
        return this.#arm(arm);
      }
      await this.#endEpoch(arm, epoch, started);
      const { best } = this.#at;
      if (patience === undefined || best === null || epoch + 1 - best.epoch < patience) continue;
      this.#notes.push(`${arm.name}: ended after epoch ${epoch + 1}, the best of the last ${patience} being no better`);
      break;
    }
    const { best, bests } = this.#at;
    const next = { arm: this.#at.arm + 1, epoch: 0, step: 0 };
    await this.#save({ ...next, best: null, bests: best ? [...bests, best] : bests });
    return true;
  }

  /** Gives the runner the state that an arm begins or goes on with, and judges the model as it was given. */
  async #start(arm: Arm): Promise<void> {
    const { epoch, step, file, shared, arm: index, history, alphas } = this.#at;
    const { schedule, first, crossEntropy, validation } = this.#request;
    const isFresh = epoch === 0 && step === 0;
    const joins = isFresh && index > 0 && shared !== null;
    if (joins) this.#at = { ...this.#at, epoch: schedule.ibFrom };
    const alpha = alphas[arm.name];
    const isFirst =
      phaseOf(schedule, this.#at.epoch) === 'first' || (arm.calibration !== undefined && alpha === undefined);
    const open = await (isFirst
      ? this.#graphs.train('first', first)
      : this.#graphs.train(keyOf(arm), arm.graph(alpha)));
    const source = joins ? shared : isFresh ? undefined : file;
    if (source === undefined) await setInitialState(this.#runner, open.graph);
    else await this.#runner.ask({ kind: 'load', path: this.#folder.file(source) });
    this.#evaluation ??= await this.#graphs.judge('evaluation', crossEntropy);
    this.#plan ??= planGroups(this.#request, this.#graphs.common.stateBytes);
    this.#notes.push(...this.#plan.notes.filter((note) => !this.#notes.includes(note)));
    this.#folder.writeMetrics(history);
    if (history.length > 0) return;
    const start = performance.now();
    const judged = await this.#judge(validation);
    this.#record({ arm: arm.name, epoch: 0, phase: 'before', rate: null, trainLoss: null }, judged, start);
  }

  /** Opens the graph of an epoch's phase. Where the loss takes over, the state is kept for the other arms, and alpha calibrated. */
  async #switch(arm: Arm, epoch: number): Promise<OpenGraph> {
    const { schedule, first } = this.#request;
    if (phaseOf(schedule, epoch) === 'first') return this.#graphs.train('first', first);
    const { arm: index, shared, alphas } = this.#at;
    if (index === 0 && schedule.ibFrom > 0 && shared === null) {
      const file = this.#folder.fresh('shared');
      await this.#runner.ask({ kind: 'save', path: this.#folder.file(file) });
      this.#at = { ...this.#at, shared: file };
    }
    if (arm.calibration && alphas[arm.name] === undefined) {
      const alpha = await calibrateArm(this.#graphs, this.#runner, this.#request, arm.calibration);
      this.#at = { ...this.#at, alphas: { ...this.#at.alphas, [arm.name]: alpha } };
    }
    return this.#graphs.train(keyOf(arm), arm.graph(this.#at.alphas[arm.name]));
  }

  async #epoch(arm: Arm, epoch: number): Promise<EpochEnd> {
    const { train, seed, schedule, signal } = this.#request;
    const groups = this.#groups;
    const stepsPerEpoch = stepsIn(groups);
    const rate = (step: number): number => rateAt(schedule, { epoch, step, stepsPerEpoch });
    const open = await this.#switch(arm, epoch);
    this.#prefetcher ??= new Prefetcher({ train, seed, epochs: schedule.epochs, groups, augment: this.#augment });
    this.#clock = { training: 0, waiting: 0 };
    const next = async ({ step }: Group): Promise<boolean> => {
      const isDue = performance.now() - this.#saved > 1000 * SAVE_SECONDS;
      if (signal?.aborted || isDue) await this.#save({ epoch, step });
      return !signal?.aborted;
    };
    const keep = async ({ step }: Group): Promise<string> => {
      if ((await this.#runner.ask({ kind: 'check' })) === '') await this.#save({ epoch, step });
      return this.#folder.path;
    };
    const place = { prefetcher: this.#prefetcher, epoch, stepsPerEpoch, groups, from: this.#at.step, rate };
    const plan = { runner: this.#runner, open, train, ...place };
    const started = performance.now() - this.#graphs.lowering.proving;
    const walked = await walkEpoch(plan, next, (ran) => this.#use(arm, epoch, ran), keep);
    this.#clock = { ...this.#clock, training: (performance.now() - this.#graphs.lowering.proving - started) / 1000 };
    return walked;
  }

  #use(arm: Arm, epoch: number, ran: GroupResult): void {
    const { schedule, onProgress, arms } = this.#request;
    const { group, losses, note, waited } = ran;
    this.#clock = { ...this.#clock, waiting: this.#clock.waiting + waited };
    if (note !== undefined) this.#notes.push(note);
    const lossSum = losses.reduce((total, loss) => total + loss * group.batch, this.#at.lossSum);
    this.#at = { ...this.#at, lossSum, lossCount: this.#at.lossCount + losses.length * group.batch };
    this.#stepsHere += group.steps;
    const place = {
      index: this.#at.arm,
      arms: arms.length,
      arm: arm.name,
      epoch,
      stepsPerEpoch: stepsIn(this.#groups),
    };
    onProgress?.(progressAt(schedule, { ...place, stepsHere: this.#stepsHere, started: this.#started }, ran));
  }

  get #groups(): readonly Group[] {
    return this.#plan?.groups ?? [];
  }

  async #endEpoch(arm: Arm, epoch: number, started: number): Promise<void> {
    const { schedule, select } = this.#request;
    await this.#refuseBroken(epoch);
    const phase = phaseOf(schedule, epoch);
    const last = stepsIn(this.#groups) - 1;
    const rate = rateAt(schedule, { epoch, step: last, stepsPerEpoch: last + 1 });
    const trainLoss = this.#at.lossSum / this.#at.lossCount;
    const judged = await this.#judge(this.#request.validation);
    const { training: trainSeconds, waiting: waitSeconds } = this.#clock;
    const block = this.#graphs.current?.graph.isLowered ? (this.#at.block ?? null) : null;
    const known = { arm: arm.name, epoch: epoch + 1, phase, rate, trainLoss, trainSeconds, waitSeconds, block };
    this.#record(known, judged, started);
    const { balancedAccuracy } = judged.metrics;
    const { best } = this.#at;
    const next = { epoch: epoch + 1, step: 0, lossSum: 0, lossCount: 0 };
    if (phase === 'first' || (best !== null && select === 'best' && balancedAccuracy <= best.balancedAccuracy)) {
      return this.#save(next);
    }
    const file = this.#folder.fresh('best');
    await this.#runner.ask({ kind: 'save', path: this.#folder.file(file) });
    await this.#save({ ...next, best: { epoch: epoch + 1, balancedAccuracy, file } });
  }

  /** Weights may leave the range of float32 in the very last update, which no loss has seen yet. */
  async #refuseBroken(epoch: number): Promise<void> {
    const tensor = await this.#runner.ask({ kind: 'check' });
    if (tensor !== '') throw brokenWeights(epoch, tensor, this.#folder.path);
  }

  async #judge(part: Part): Promise<Judgement> {
    const { trainCounts } = this.#request;
    if (!this.#evaluation) throw new Error('nothing to judge with');
    const evaluation = { ...this.#evaluation, trainCounts, batches: batchSizesOf(this.#request) };
    return judge(this.#runner, part, 'evaluation', evaluation);
  }

  #record(
    known: Omit<EpochRecord, keyof Metrics | 'validationLoss' | 'seconds'>,
    judged: Judgement,
    started: number,
  ): void {
    const seconds = (performance.now() - started) / 1000;
    const record: EpochRecord = { ...known, ...judged.metrics, validationLoss: judged.loss, seconds };
    this.#at = { ...this.#at, history: [...this.#at.history, record] };
    this.#folder.writeMetrics(this.#at.history);
    this.#request.onEpoch?.(record);
  }

  /** A run that was cut short between its last step and its end has no graph open. */
  async #done(): Promise<FinishContext> {
    const { first, crossEntropy } = this.#request;
    const open = this.#graphs.current ?? (await this.#graphs.train('first', first));
    this.#evaluation ??= await this.#graphs.judge('evaluation', crossEntropy);
    const here = { request: this.#request, runner: this.#runner, graphs: this.#graphs, folder: this.#folder };
    return { ...here, open, evaluation: this.#evaluation };
  }

  /** Writes the runner's state and makes it the checkpoint. */
  async #save(change: Partial<Checkpoint>): Promise<void> {
    const file = this.#folder.fresh('state');
    await this.#runner.ask({ kind: 'save', path: this.#folder.file(file) });
    this.#at = { ...this.#at, ...change, file };
    this.#folder.commit(this.#at);
    this.#saved = performance.now();
  }
}
