import type { Emitter } from '../../emit/index.ts';
import { LossgraftError } from '../../errors.ts';
import { describeNode } from '../../ir/attributes.ts';
import type { Node, NodeAttributes, Value } from '../../ir/graph.ts';
import type { DataType } from '../../tensor.ts';

/** An operator call being raised to a newer opset. */
export interface Form {
  readonly opType: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly attributes: NodeAttributes;
}

/** The context of an adapter. */
export interface AdapterContext {
  /** Writes helper nodes before the call, at the target opset. */
  readonly op: Emitter;
  /** The node of the user's file, for attributes and errors. */
  readonly node: Node;
  /** The call as earlier adapters left it. */
  readonly form: Form;
  /** Whether something reads output `i`. */
  readonly isRead: (i: number) => boolean;
  /** The elements of an initializer or Constant; `undefined` if computed. */
  readonly constant: (value: Value) => readonly number[] | undefined;
}

/** Rewrites a call for the opset in which its operator changed; the result must be bit-identical. */
export type Adapter = (context: AdapterContext) => Form;

/** The call with attributes removed and added. */
export function withAttributes(form: Form, removed: readonly string[], added: NodeAttributes = new Map()): Form {
  const kept = [...form.attributes].filter(([name]) => !removed.includes(name));
  return { ...form, attributes: new Map([...kept, ...added]) };
}

/** The element type of an input. @throws LossgraftError `cannot-raise` if unknown. */
export function dtypeOf(context: AdapterContext, value: Value | undefined): DataType {
  if (value?.dtype !== undefined) return value.dtype;
  const hint = 'Run ONNX shape inference on the model, or export it again with a newer opset';
  throw cannotRaise(context.node, 'inputs of a known element type', `"${value?.name ?? ''}" of an unknown one`, hint);
}

const EXPORT_AGAIN = 'Export the model again with a newer opset';

export function cannotRaise(node: Node, expected: string, found: string, hint: string = EXPORT_AGAIN): LossgraftError {
  return new LossgraftError({ code: 'cannot-raise', where: describeNode(node), expected, found, hint });
}
