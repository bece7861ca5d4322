import { LossgraftError } from '../errors.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type {
  Attribute,
  AttributeInit,
  GraphInit,
  GraphProto,
  NodeInit,
  UntypedInit,
  ValueInfoProto,
  ValueInit,
} from '../onnx/types.ts';

/** The scope of a function's nodes: names of its values, and the attributes of the call. */
export interface Scope {
  readonly model: Model;
  /** For errors. */
  readonly where: string;
  /** The graph's name for a value of the function. */
  readonly nameOf: (name: string) => string;
  /** A free name similar to this one. */
  readonly fresh: (name: string) => string;
  /** The call's attribute, or its default; `undefined` if there is neither. */
  readonly attribute: (name: string) => AttributeInit | undefined;
  /** A body's nodes in a scope. */
  readonly nodes: (body: GraphProto, scope: Scope) => NodeInit[];
}

type Attributes = ReadonlyMap<string, Attribute>;

/** Attributes of a function's node for a new node; references to attributes that the call lacks are left out. */
export function attributesOf(attributes: Attributes, scope: Scope): ReadonlyMap<string, AttributeInit> {
  const own = new Map<string, AttributeInit>();
  for (const [name, attribute] of attributes) {
    const value =
      attribute.type === 'reference' ? scope.attribute(attribute.value) : ownAttribute(name, attribute, scope);
    if (value) own.set(name, value);
  }
  return own;
}

function ownAttribute(name: string, attribute: Exclude<Attribute, { type: 'reference' }>, scope: Scope): AttributeInit {
  const { model } = scope;
  switch (attribute.type) {
    case 'tensor':
      return { type: 'tensor', value: readTensor(model.proto.source, attribute.value, { modelDir: model.dir }) };
    case 'graph':
      return { type: 'graph', value: bodyOf(attribute.value, scope) };
    case 'tensors':
    case 'graphs':
    case 'other':
      throw refusal(
        scope,
        'attributes of numbers, strings, a tensor or a graph',
        `the attribute "${name}" of another kind`,
      );
    default:
      return attribute;
  }
}

/** A body with new names for its own values, and the function's names for values it reads. */
function bodyOf(body: GraphProto, outer: Scope): GraphInit {
  if (body.sparseInitializerNames.length > 0)
    throw refusal(outer, 'bodies without sparse tensors', 'a sparse initializer');
  const own = new Map<string, string>();
  const defined = [
    ...[...body.inputs, ...body.initializers].map(({ name }) => name),
    ...body.nodes.flatMap(({ outputs }) => outputs),
  ];
  for (const name of defined) if (name !== '' && !own.has(name)) own.set(name, outer.fresh(name));
  const scope: Scope = { ...outer, nameOf: (name) => own.get(name) ?? outer.nameOf(name) };
  const { source } = outer.model.proto;
  const initializers = body.initializers.map((tensor) => ({
    name: scope.nameOf(tensor.name),
    tensor: readTensor(source, tensor, { modelDir: outer.model.dir }),
  }));
  const port = (info: ValueInfoProto): ValueInit | UntypedInit => portOf(info, scope);
  const nodes = outer.nodes(body, scope);
  return { name: body.name, nodes, initializers, inputs: body.inputs.map(port), outputs: body.outputs.map(port) };
}

/** Sizes declared in a body are only claims: just the rank is kept. */
function portOf({ name, kind, type }: ValueInfoProto, scope: Scope): ValueInit | UntypedInit {
  if (kind !== 'tensor' && kind !== 'none') {
    throw refusal(scope, 'bodies whose inputs and outputs are tensors', `a ${kind} "${name}"`);
  }
  const own = scope.nameOf(name);
  if (type?.dtype === undefined || type.shape === undefined) return { name: own };
  return { name: own, dtype: type.dtype, shape: type.shape.map(() => undefined) };
}

function refusal({ where }: Scope, expected: string, found: string): LossgraftError {
  const hint = 'Inline the functions with onnx.inliner, or export the model without functions';
  return new LossgraftError({ code: 'inline', where, expected, found, hint });
}
