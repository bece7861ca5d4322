import { type Sampler, sampledOrder } from '../data/sampler.ts';
import type { Part } from '../data/samples.ts';
import { buffersOf } from '../data/samples.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Group } from './groups.ts';
import type { GroupKeys } from './softTargets.ts';

/** The feeds of a run of the training graph, without the learning rate. */
export interface GroupFeeds {
  readonly rows: Uint32Array;
  readonly feeds: Tensors;
  /** Buffers of the feeds that nobody else holds. */
  readonly buffers: readonly ArrayBuffer[];
}

export interface PrefetchPlan {
  readonly train: Part;
  readonly seed: number;
  readonly epochs: number;
  /** Of a whole epoch. */
  readonly groups: readonly Group[];
  /** How often an epoch draws classes. */
  samplerOf(epoch: number): Sampler;
  augment(
    feeds: Record<string, Tensor>,
    keys: { seed: number; epoch: number; rows: Uint32Array },
  ): Record<string, Tensor>;
  /** Soft labels in place of classes, and samples that are mixed with others of their step. */
  readonly soften?: ((feeds: Tensors, keys: GroupKeys) => Tensors) | undefined;
}

/** Bytes to read ahead: at least one group, and at most {@link MAX_GROUPS}. */
const AHEAD_BYTES: number = 16 * 2 ** 20;
const MAX_GROUPS = 4;

/**
 * Reads and augments data while steps run, also past the end of an epoch while it is judged. What is read depends only on seed, epoch and
 * group, not on how far ahead it was.
 */
export class Prefetcher {
  readonly #plan: PrefetchPlan;
  readonly #depth: number;
  readonly #reading = new Map<number, Promise<GroupFeeds>>();
  #order: { readonly epoch: number; readonly rows: Uint32Array } | undefined;

  constructor(plan: PrefetchPlan) {
    const [{ steps, batch } = { steps: 1, batch: 1 }] = plan.groups;
    this.#plan = plan;
    this.#depth = Math.min(
      MAX_GROUPS,
      Math.max(1, Math.floor(AHEAD_BYTES / (steps * batch * plan.train.samples.rowBytes))),
    );
  }

  /** The data of a group; starts reading the next ones. @throws LossgraftError as reading them does. */
  take(epoch: number, group: number): Promise<GroupFeeds> {
    const { groups, epochs } = this.#plan;
    const place = epoch * groups.length + group;
    const taken = this.#begin(place);
    this.#reading.delete(place);
    // Left over from a previous arm, or from an interrupted run.
    for (const other of this.#reading.keys())
      if (other < place || other > place + this.#depth) this.#reading.delete(other);
    // After the needed one: reading shares the processor with it.
    taken.then(
      () => this.#beginNext(place, epochs * groups.length),
      () => {},
    );
    return taken;
  }

  /** The same once more. */
  again(epoch: number, group: number): Promise<GroupFeeds> {
    return this.#read(epoch * this.#plan.groups.length + group);
  }

  #beginNext(place: number, end: number): void {
    for (let next = place + 1; next <= place + this.#depth && next < end; next++) this.#begin(next);
  }

  #begin(place: number): Promise<GroupFeeds> {
    const known = this.#reading.get(place);
    if (known) return known;
    const reading = this.#read(place);
    // Reported when awaited; without this a failure in between would end the process.
    reading.catch(() => {});
    this.#reading.set(place, reading);
    return reading;
  }

  async #read(place: number): Promise<GroupFeeds> {
    const { groups, train, seed, augment, soften } = this.#plan;
    const epoch = Math.floor(place / groups.length);
    const group = groups[place % groups.length];
    if (!group) throw new Error('an epoch without steps');
    const rows = this.#rowsOf(epoch).subarray(group.start, group.start + group.steps * group.batch);
    const read = await train.samples.read(rows);
    const augmented = augment(read, { seed, epoch, rows });
    const feeds = soften ? soften(augmented, { seed, epoch, rows, group }) : augmented;
    const own = train.samples.isFresh
      ? feeds
      : Object.fromEntries(Object.entries(feeds).filter(([name, tensor]) => tensor !== read[name]));
    return { rows, feeds, buffers: buffersOf(own) };
  }

  #rowsOf(epoch: number): Uint32Array {
    if (this.#order?.epoch !== epoch) {
      const { train, samplerOf, seed } = this.#plan;
      this.#order = { epoch, rows: sampledOrder(train, samplerOf(epoch), { seed, epoch }) };
    }
    return this.#order.rows;
  }
}
