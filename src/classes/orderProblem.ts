import { LossgraftError, option } from '../errors.ts';
import type { WrongOrder } from './order.ts';

/** The names of labels, and their source. */
export interface CalledClasses {
  /** The data's name. */
  readonly where: string;
  readonly names: readonly string[] | undefined;
  /** Where the names were found; `undefined` if they are unknown. */
  readonly from: string | undefined;
  /** What to do if the order is intended. */
  readonly otherwise?: string;
}

/** The error with the order that fits. */
export function orderProblem(
  { accuracy, chance, samples, fitting }: WrongOrder,
  called: CalledClasses,
): LossgraftError {
  const { where, names, from, otherwise = '' } = called;
  const moved = fitting.classOf.flatMap((k, label) => (k === label ? [] : [`${names?.[label] ?? label} → ${k}`]));
  const shown = `${moved.slice(0, 12).join(', ')}${moved.length > 12 ? `, … (${moved.length})` : ''}`;
  return new LossgraftError({
    code: 'class-order',
    where,
    expected: `labels that are the model's classes${from === undefined ? '' : `, as ${from} names them`}`,
    found:
      `others: the untouched model gets ${percent(accuracy)} of ${samples} samples right (chance gives ${percent(chance)}), but ` +
      `${percent(fitting.accuracy)} if these labels mean other classes: ${shown}`,
    hint: `Pass the order that fits, ${orderOption(fitting.classOf, names)}${otherwise}`,
  });
}

/** More belong in a file. */
const LISTED = 20;

function orderOption(classOf: readonly number[], names: readonly string[] | undefined): string {
  const inOrder = Array<string>(classOf.length).fill('');
  for (const [label, k] of classOf.entries()) inOrder[k] = names?.[label] ?? String(label);
  const isShort = inOrder.length <= LISTED && inOrder.every((name) => !name.includes(','));
  if (!isShort) return `${option('classes')}, one name per line`;
  return option('classes', inOrder.join(','));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
