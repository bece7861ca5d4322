import type { FlagOption, NumberOption } from '../../src/contract.ts';

export function fraction(value: number, describe: string): NumberOption {
  return {
    kind: 'number',
    default: value,
    expects: 'a number from 0 to below 1',
    accepts: (v) => v >= 0 && v < 1,
    describe,
  };
}

export function flag(describe: string): FlagOption {
  return { kind: 'flag', default: false, describe };
}

export function weightDecay(value: number): NumberOption {
  const describe = 'how strongly parameters decay towards 0';
  return { kind: 'number', default: value, expects: 'a number of 0 or more', accepts: (v) => v >= 0, describe };
}

export const adamEpsilon: NumberOption = {
  kind: 'number',
  default: 1e-8,
  expects: 'a number of 0 or more',
  accepts: (v) => v >= 0,
  describe: 'added to the denominator',
};
