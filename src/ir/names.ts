import { LossgraftError, option } from '../errors.ts';
import { nearestNames } from './nearestNames.ts';

export function unknownTensor(name: string, where: string, known: Iterable<string>): LossgraftError {
  const near = nearestNames(name, known);
  return new LossgraftError({
    code: 'unknown-tensor',
    where,
    expected: 'the name of a tensor in the model',
    found: `"${name}"`,
    hint: near.length > 0 ? `Did you mean ${near.map((n) => `"${n}"`).join(', ')}` : 'The model has no tensors',
  });
}

/** The hint if a name derived from a tensor's, such as `<param>.next`, is taken. */
export const RENAME_TENSOR = "Rename that tensor in the model; lossgraft's name is derived from the parameter's";

/** @param hint for names that the option rename does not know. */
export function nameTaken(name: string, hint: string | undefined): LossgraftError {
  return new LossgraftError({
    code: 'name-collision',
    where: `tensor "${name}"`,
    expected: 'a name that the model does not use yet',
    found: 'the model already has a tensor with that name',
    hint: hint ?? `Rename lossgraft's own with ${option('rename', `${name}=my_${name}`)}`,
  });
}
