export type Group = 'many' | 'medium' | 'few';

/** How classes are divided by their training samples. */
export interface Groups {
  /** `counts`: by fixed numbers; `shares`: relative to an even share, if the numbers leave a group empty. */
  readonly by: 'counts' | 'shares';
  /** Each class's group. */
  readonly of: readonly Group[];
  /** A description of the groups: `many: more than 100 training samples of a class`. */
  readonly describe: Readonly<Record<Group, string>>;
}

/** Liu et al., "Large-Scale Long-Tailed Recognition in an Open World", CVPR 2019. */
const SHOTS = { many: 100, few: 20 } as const;
/** Relative to the samples per class if all had equally many. */
const SHARES = { many: 0.5, few: 0.1 } as const;

/**
 * Many-, medium- and few-shot classes: more than 100, 20 to 100, and fewer than 20 training samples. If that leaves a group empty, the
 * numbers say little (two of 9800, 150 and 50 samples would be many), and the share decides: at least half of an even share, and less
 * than a tenth of it. If shares put all classes into one group, the numbers count again.
 *
 * @param counts training samples of each class.
 */
export function groupsOf(counts: readonly number[]): Groups {
  const byCount = counts.map((count): Group => (count > SHOTS.many ? 'many' : count < SHOTS.few ? 'few' : 'medium'));
  const even = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const [many, few] = [SHARES.many * even, SHARES.few * even];
  const byShare = counts.map((count): Group => (count >= many ? 'many' : count < few ? 'few' : 'medium'));
  if (new Set(byCount).size === 3 || new Set(byShare).size === 1) {
    const describe = {
      many: `more than ${SHOTS.many} training samples`,
      medium: `${SHOTS.few} to ${SHOTS.many} training samples`,
      few: `fewer than ${SHOTS.few} training samples`,
    };
    return { by: 'counts', of: byCount, describe };
  }
  const [half, tenth] = [Math.ceil(many), Math.ceil(few)];
  const describe = {
    many: `at least ${half} training samples, half of an even share`,
    medium: `fewer than ${half} training samples, half of an even share, and at least ${tenth}, a tenth`,
    few: `fewer than ${tenth} training samples, a tenth of an even share`,
  };
  return { by: 'shares', of: byShare, describe };
}
