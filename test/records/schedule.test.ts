import { describe, expect, it } from 'vitest';
import {
  checkSchedule,
  DEFAULT_SCHEDULE,
  ibCifar,
  phaseOf,
  rateAt,
  type Schedule,
} from '../../src/records/schedule.ts';

function rates(schedule: Partial<Schedule>, stepsPerEpoch = 2): number[] {
  const whole = { ...DEFAULT_SCHEDULE, ...schedule };
  checkSchedule(whole);
  return Array.from({ length: whole.epochs * stepsPerEpoch }, (_, i) =>
    rateAt(whole, { epoch: Math.floor(i / stepsPerEpoch), step: i % stepsPerEpoch, stepsPerEpoch }),
  );
}

describe('learning rates', () => {
  it('constant', () => expect(rates({ epochs: 2, rate: 0.5 })).toEqual([0.5, 0.5, 0.5, 0.5]));

  it('warm-up rises by steps', () => {
    expect(rates({ epochs: 3, rate: 1, warmup: 2 })).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
    expect(rates({ epochs: 3, rate: 1, warmup: 2, by: 'epoch' })).toEqual([0.5, 0.5, 1, 1, 1, 1]);
  });

  it('step', () => {
    expect(rates({ epochs: 4, rate: 1, kind: 'step', milestones: [1, 3], gamma: 0.5 }, 1)).toEqual([1, 0.5, 0.5, 0.25]);
  });

  // torch.optim.lr_scheduler.CosineAnnealingLR(T_max=4) from 1: 1, 0.8536, 0.5, 0.1464.
  it('cosine, as PyTorch’s', () => {
    const found = rates({ epochs: 4, rate: 1, kind: 'cosine' }, 1);
    for (const [i, expected] of [1, 0.853553, 0.5, 0.146447].entries()) expect(found[i]).toBeCloseTo(expected, 6);
  });

  it('the rate is cut where the loss begins', () => {
    const schedule = { ...DEFAULT_SCHEDULE, epochs: 12, rate: 0.05, ibFrom: 8, ibRateFactor: 0.2 };
    expect(rates(schedule, 1)).toEqual([...Array(8).fill(0.05), ...Array(4).fill(0.05 * 0.2)]);
    expect([7, 8].map((epoch) => phaseOf(schedule, epoch))).toEqual(['first', 'loss']);
  });

  it('ib-cifar: the reference’s table, epochs counted from 1', () => {
    const { schedule } = ibCifar();
    // adjust_learning_rate of the authors' cifar_train.py, IB phase and CE phase.
    const reference = (epoch: number): number => {
      if (epoch <= 5) return (0.1 * epoch) / 5;
      const late = epoch > 180 ? 1e-6 : epoch > 160 ? 1e-4 : 0.01;
      return epoch > 100 ? 0.1 * late : 0.1;
    };
    const found = rates(schedule, 1);
    for (const [i, rate] of found.entries()) expect(rate / reference(i + 1), `epoch ${i + 1}`).toBeCloseTo(1, 10);
    expect(phaseOf(schedule, 99)).toBe('first');
    expect(phaseOf(schedule, 100)).toBe('loss');
  });

  it('refuses what makes no sense, by name', () => {
    const refused = (part: Partial<Schedule>) => () => checkSchedule({ ...DEFAULT_SCHEDULE, ...part });
    expect(refused({ epochs: 0 })).toThrow(/option epochs/);
    expect(refused({ rate: Number.NaN })).toThrow(/option learningRate/);
    expect(refused({ epochs: 4, ibFrom: 4 })).toThrow(/option ibFrom.*epoch from 0 to 3/);
    expect(refused({ epochs: 4, warmup: 4 })).toThrow(/option warmup/);
    expect(refused({ gamma: 2 })).toThrow(/option stepFactor/);
  });
});
