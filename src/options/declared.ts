import type { OptionSpec, OptionSpecs, OptionValues } from '../contract.ts';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import { unknownOption } from './check.ts';

/**
 * The values of declared options: the given ones, checked, and the defaults of the rest. `undefined` counts as not given.
 *
 * @param where their declarer, for messages: "loss ib".
 * @throws LossgraftError `unknown-option`, `option-kind` or `option-range`, saying what is accepted.
 */
export function resolveOptions<S extends OptionSpecs>(
  specs: S,
  given: Readonly<Record<string, unknown>>,
  where: string,
): OptionValues<S> {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !Object.hasOwn(specs, name))
      throw unknownOption(name, Object.keys(specs), `${where}, option ${name}`);
  }
  const values = Object.entries(specs).map(([name, spec]) => {
    const value = given[name];
    return [name, value === undefined ? spec.default : checked(spec, value, `${where}, option ${name}`)];
  });
  return Object.fromEntries(values) as OptionValues<S>;
}

function checked(spec: OptionSpec, value: unknown, where: string): number | boolean | string {
  switch (spec.kind) {
    case 'number':
      if (typeof value !== 'number') throw problem('option-kind', where, spec.expects, value, spec);
      if (!Number.isFinite(value) || !spec.accepts(value))
        throw problem('option-range', where, spec.expects, value, spec);
      return value;
    case 'flag':
      if (typeof value !== 'boolean') throw problem('option-kind', where, 'true or false', value, spec);
      return value;
    case 'choice':
      if (typeof value === 'string' && spec.choices.includes(value)) return value;
      throw problem('option-range', where, `one of ${spec.choices.join(', ')}`, value, spec);
  }
}

function problem(code: ErrorCode, where: string, expected: string, value: unknown, spec: OptionSpec): LossgraftError {
  const found =
    typeof value === 'string' ? `"${value}"` : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return new LossgraftError({ code, where, expected, found, hint: `The default is ${spec.default}` });
}
