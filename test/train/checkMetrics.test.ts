import { describe, expect, it } from 'vitest';
import { fromTensors } from '../../src/index.ts';
import { MAX_KEPT } from '../../src/metrics/scored.ts';
import { checkMetrics } from '../../src/train/checkMetrics.ts';

const options = { data: fromTensors({}), folder: 'nowhere' };

describe('metrics that rank samples', () => {
  it('are left out of more validation data than are kept, which is said', () => {
    expect(checkMetrics(options, MAX_KEPT / 8, 8)).toBeUndefined();
    expect(checkMetrics({ ...options, selectBy: 'pr-auc' }, MAX_KEPT / 8, 8)).toBeUndefined();
    expect(checkMetrics(options, MAX_KEPT / 8 + 1, 8)).toMatch(
      /^PR-AUC and ROC-AUC are left out: 1048577 validation samples of 8 classes/,
    );
  });

  it.each(['pr-auc', 'roc-auc'])('%s then chooses no epoch', (selectBy) => {
    expect(() => checkMetrics({ ...options, selectBy }, MAX_KEPT, 2)).toThrow(
      /option selectBy.*needs no ranking of samples: 8388608 validation/,
    );
  });
});
