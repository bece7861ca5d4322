import type { Classifier } from '../classifier/classifier.ts';
import { LossgraftError } from '../errors.ts';

/** How another model's classes map to those of the first. */
export interface ClassMatch {
  /** The other's class for each class of the first model; `undefined` if the order is the same. */
  readonly order: readonly number[] | undefined;
  readonly notes: readonly string[];
}

/**
 * Matches two models' classes by name; if one names none, both are taken to have the same order.
 *
 * @throws LossgraftError `other-classes` if they differ.
 */
export function matchClasses(first: Classifier, other: Classifier): ClassMatch {
  const [a, b] = [first, other].map(({ names }) => (names?.arePlaceholders ? undefined : names?.names));
  const isUneven = first.classes !== undefined && other.classes !== undefined && first.classes !== other.classes;
  if (isUneven) throw otherClasses(first, other, `${first.classes} classes`, `${other.classes}`);
  if (a === undefined || b === undefined) {
    const unnamed = a === undefined ? first.model : other.model;
    return {
      order: undefined,
      notes: [`${unnamed} names no classes; lossgraft assumes that both models order them alike`],
    };
  }
  const order = a.map((name) => b.indexOf(name));
  const missing = a[order.indexOf(-1)];
  if (missing !== undefined || a.length !== b.length)
    throw otherClasses(first, other, `a class ${missing ?? a.join(', ')}`, b.join(', '));
  if (order.every((k, i) => k === i)) return { order: undefined, notes: [] };
  const note = `${other.model} has the classes in another order, ${b.slice(0, 10).join(', ')}${b.length > 10 ? ', …' : ''}: matched by name`;
  return { order, notes: [note] };
}

function otherClasses(first: Classifier, other: Classifier, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'other-classes',
    where: other.model,
    expected: `${expected}, as ${first.model} has`,
    found: found.length > 200 ? `${found.slice(0, 200)} …` : found,
    hint: 'Compare models with the same classes',
  });
}
