import { LossgraftError } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { DEFAULT_THRESHOLD } from './labelled.ts';
import type { ThresholdPolicy } from './thresholds.ts';

/**
 * The probability thresholds for predicting labels: one for all, one for each in the order of the scores or by name, or tuned to the
 * data.
 */
export type ThresholdChoice = number | readonly number[] | Readonly<Record<string, number>> | 'tune';

const isShare = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 1;

export function isThresholdChoice(given: unknown): given is ThresholdChoice {
  if (given === 'tune' || typeof given === 'number') return true;
  if (Array.isArray(given)) return given.every((value) => typeof value === 'number');
  return isRecord(given) && Object.values(given).every((value) => typeof value === 'number');
}

/** `tune`, `0.4`, `0.4,0.3,…`, `cat=0.4,dog=0.3`, or a .json file of one of these. */
export async function parseThresholds(given: string): Promise<ThresholdChoice | undefined> {
  if (given === 'tune') return given;
  if (/\.json$/i.test(given)) {
    const { readFile } = await import('node:fs/promises');
    const found: unknown = JSON.parse(await readFile(given, 'utf8'));
    return isThresholdChoice(found) ? found : undefined;
  }
  const parts = given.split(',').map((part) => part.trim());
  if (parts.every((part) => part.includes('='))) {
    const pairs = parts.map((part) => [
      part.slice(0, part.lastIndexOf('=')),
      Number(part.slice(part.lastIndexOf('=') + 1)),
    ]);
    return Object.fromEntries(pairs) as Record<string, number>;
  }
  const numbers = parts.map(Number);
  return numbers.length === 1 ? numbers[0] : numbers;
}

/**
 * One threshold for each label, or `tune`.
 *
 * @param names of all labels, in the order of the scores, if known.
 * @throws LossgraftError `threshold` for invalid numbers, another number of them than labels, and unknown names.
 */
export function thresholdPolicy(
  choice: ThresholdChoice | undefined,
  { classes, names }: { readonly classes: number; readonly names: readonly string[] | undefined },
): ThresholdPolicy {
  if (choice === 'tune') return choice;
  if (choice === undefined || typeof choice === 'number')
    return checked(Array<number>(classes).fill(choice ?? DEFAULT_THRESHOLD));
  if (isList(choice)) {
    if (choice.length === classes) return checked(choice);
    throw problem(`${classes} thresholds, one for each label, in the order of the scores`, String(choice.length));
  }
  const stray = Object.keys(choice).find((name) => !names?.includes(name));
  if (stray !== undefined)
    throw problem(
      `names of labels${names === undefined ? ', which nothing tells here' : `: ${names.join(', ')}`}`,
      JSON.stringify(stray),
    );
  return checked((names ?? []).map((name) => choice[name] ?? DEFAULT_THRESHOLD));
}

function isList(choice: ThresholdChoice): choice is readonly number[] {
  return Array.isArray(choice);
}

function checked(thresholds: readonly number[]): readonly number[] {
  const bad = thresholds.find((value) => !isShare(value));
  if (bad === undefined) return thresholds;
  throw problem('probabilities between 0 and 1, both excluded', String(bad));
}

function problem(expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'threshold',
    where: 'option threshold',
    expected,
    found,
    hint: 'Give one number for all labels, one for each, names with numbers (cat=0.4,dog=0.3), or tune',
  });
}
