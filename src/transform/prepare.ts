import { createEmitter } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import { buildGraph } from '../ir/build.ts';
import type { Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import { markBfloat16 } from '../runtime/oracle/bfloat16.ts';
import { forgetBodySizes } from '../runtime/oracle/restate.ts';
import { batchNorm, type RunningStatistic } from './batchNorm.ts';
import {
  type Computed,
  type ConstantReader,
  computeConstants,
  constantReader,
  inferAllTypes,
  readerOf,
} from './constantValues.ts';
import { declaredOtherwise } from './declared.ts';
import { dropout, type Masks } from './dropout.ts';
import { refuseEndlessLoops } from './endless.ts';
import { foldBranches } from './foldBranches.ts';
import type { Draft } from './graft.ts';
import { inlineFunctions } from './inline.ts';
import { newOpsetNotes } from './newOpset.ts';
import { openBodies } from './openBodies.ts';
import { raiseOpset } from './raise.ts';
import { standardiseWeights } from './standardise.ts';
import { mergedNotes, type Untied, untie } from './untie.ts';
import { wideningNotes } from './widen.ts';

export interface PrepareRequest {
  /** `frozen`: running statistics; `train`: the batch's, with the running ones as state. Default `frozen`. */
  readonly batchNorm?: 'frozen' | 'train';
  /** Default `off`. */
  readonly dropout?: 'off' | 'train';
  /** The seed of Dropout, which must be `train`. Default 0. */
  readonly seed?: number;
  /** Whether a batch may be a part of a larger one; see `Masks`. Default false. */
  readonly ofParts?: boolean;
  /** Keeps tensors merged that an exporter merged because they were equal. Default false: they are untied. */
  readonly keepTies?: boolean;
}

export interface Prepared extends Draft {
  readonly statistics: readonly RunningStatistic[];
  /** The untied tensors; none with `keepTies`. */
  readonly untied: readonly Untied[];
  /** Reads values of the prepared graph and of additions to it. */
  constants(): Promise<ConstantReader>;
}

/** The first and last opset of training graphs: BatchNorm and reductions are written for these. */
export const TRAIN_OPSETS = { first: 17, last: 21 } as const;

/**
 * A graph of the model that can be trained: functions inlined, the opset raised to 17 or newer, ties undone, BatchNorm and Dropout
 * in the requested mode, all types known. Each is made once for a model: every caller gets a copy.
 */
export async function prepare(model: Model, request: PrepareRequest): Promise<Prepared> {
  refuseUnusedSeed(request);
  const { batchNorm: norms = 'frozen', dropout: mode = 'off', seed = 0, ofParts = false, keepTies = false } = request;
  const masks = { mode, seed, ofParts };
  const key = JSON.stringify([norms, masks, keepTies]);
  const template = await once(templates, model, key, () => inMode(model, { norms, masks, keepTies }));
  return copyOf(model, template);
}

interface Modes {
  readonly norms: 'frozen' | 'train';
  readonly masks: Masks;
  readonly keepTies: boolean;
}

/** What all modes have in common. */
type Base = Draft & Pick<Prepared, 'untied'>;

/** A graph to copy, with its constants once requested. */
interface Template extends Omit<Prepared, 'constants'> {
  computed?: Promise<Computed>;
}

type Memo<T> = WeakMap<Model, Map<string, Promise<T>>>;

const bases: Memo<Base> = new WeakMap();
const templates: Memo<Template> = new WeakMap();

/** Graphs prepared earlier for a model; failures are not cached. */
function once<T>(memo: Memo<T>, model: Model, key: string, make: () => Promise<T>): Promise<T> {
  const known = memo.get(model) ?? new Map<string, Promise<T>>();
  memo.set(model, known);
  const before = known.get(key);
  if (before) return before;
  const made = make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

async function baseOf(model: Model, keepTies: boolean): Promise<Base> {
  const graph = buildGraph(model.proto);
  refuseEmptyInputs(model.name, graph.inputs);
  const inlined = inlineFunctions(model, graph);
  markBfloat16(graph);
  forgetBodySizes(model.proto, graph);
  refuseEndlessLoops(model, graph);
  const raised = await raiseOpset(model, graph, TRAIN_OPSETS.first);
  const ties = keepTies ? undefined : untie(graph);
  const sizes = await inferAllTypes(model, graph);
  await openBodies(model, graph, raised.to);
  const folded = await foldBranches(model, graph);
  const declared = declaredOtherwise(graph);
  const newer = newOpsetNotes(graph, raised.to, TRAIN_OPSETS.last);
  const notes = [
    ...wideningNotes(model),
    ...inlined.notes,
    ...raised.notes,
    ...sizes,
    ...folded,
    ...declared,
    ...newer,
    ...(ties?.notes ?? []),
    ...(keepTies ? [] : mergedNotes(model, graph)),
  ];
  return { graph, opset: raised.to, notes, untied: ties?.untied ?? [] };
}

async function inMode(model: Model, { norms, masks, keepTies }: Modes): Promise<Template> {
  const base = await once(bases, model, String(keepTies), () => baseOf(model, keepTies));
  const { graph } = base.graph.clone();
  const op = createEmitter(graph, base.opset);
  const masked = await dropout(op, masks, () => constantReader(model, graph));
  standardiseWeights(op);
  const normed = batchNorm(graph, norms);
  return {
    ...base,
    graph,
    notes: [...base.notes, ...masked.notes, ...normed.notes],
    statistics: [...normed.statistics, ...masked.statistics],
  };
}

function copyOf(model: Model, template: Template): Prepared {
  const { graph, copies } = template.graph.clone();
  const copied = (value: Value): Value => copies.get(value) ?? value;
  return {
    graph,
    opset: template.opset,
    notes: [...template.notes],
    statistics: template.statistics.map(({ current, source, next }) => ({
      current: copied(current),
      source,
      next: copied(next),
    })),
    untied: template.untied,
    constants: async () => {
      template.computed ??= computeConstants(model, template.graph);
      const computed = await template.computed;
      return readerOf(model, graph, new Map([...computed].map(([value, tensor]) => [copied(value), tensor])));
    },
  };
}

function refuseUnusedSeed({ seed, dropout: mode }: PrepareRequest): void {
  if (seed === undefined || mode === 'train') return;
  throw new LossgraftError({
    code: 'option-needs-option',
    where: 'option seed',
    expected: 'dropout in training mode',
    found: `a seed of ${seed}, and dropout ${mode ?? 'off'}`,
    hint: `Add ${option('dropout', 'train')}, or leave the seed out`,
  });
}
