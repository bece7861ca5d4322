import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Node } from '../ir/graph.ts';

/** The way round a node that has no gradient. */
export const FREEZE_BEFORE = `Freeze everything before this node: ${option('trainable', 'head')}, or a pattern that names only parameters after it`;

/** The error for a form of an operator that has no gradient here. */
export function unsupported(
  node: Node,
  expected: string,
  found: string,
  code: Extract<ErrorCode, 'gradient-form' | 'gradient-input'> = 'gradient-form',
): LossgraftError {
  return new LossgraftError({ code, where: describeNode(node), expected, found, hint: FREEZE_BEFORE });
}
