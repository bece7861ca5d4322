import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import { type EffectiveGraph, effectiveGraph } from './effective.ts';
import { innerNames, type NodeLike, usedNames } from './names.ts';
import { normalDomain } from './scanNode.ts';
import type { ModelEdit, ModelProto } from './types.ts';

/**
 * Refuses an edit after which the model would have another meaning than intended, be invalid, or be read differently by different tools
 * (ONNX Runtime silently takes the last of two initializers). Faults of the host itself are not checked. Errors: `duplicate-value`,
 * `duplicate-node-name`, `undefined-input`, `not-topological`, `dangling-input`, `undefined-output`, `duplicate-output`,
 * `duplicate-value-info`, `opset-missing`, `opset-lowered`, `bad-opset`, `ir-lowered`.
 */
export function checkEdit(model: ModelProto, edit: ModelEdit): void {
  checkVersions(model, edit);
  const graph = effectiveGraph(model, edit);
  const where = model.source.name;
  const values = checkValues(model, graph, where);
  checkNodes(model, edit, graph, values, where);
  checkOutputs(graph, values, where);
  checkValueInfos(graph, where);
}

/** Where a value is defined: the index of its node, −1 for inputs and initializers. */
interface Definition {
  readonly position: number;
  readonly isNew: boolean;
  readonly kind: string;
}

function checkValues(model: ModelProto, graph: EffectiveGraph, where: string): Map<string, Definition> {
  const values = new Map<string, Definition>();
  const hostInitializers = new Set(model.graph.initializers.map(({ name }) => name));
  const define = (name: string, definition: Definition): void => {
    const known = values.get(name);
    if (known !== undefined && (known.isNew || definition.isNew) && !isDefaultOfInput(name, known, definition)) {
      const found = `${known.kind} of that name besides ${definition.kind}`;
      throw problem('duplicate-value', `${where}, value "${name}"`, 'one definition', found, RENAME);
    }
    values.set(name, definition);
  };
  // An initializer that is also an input is that input's default value: fine if both are new or it replaces one of the host.
  function isDefaultOfInput(name: string, known: Definition, definition: Definition): boolean {
    if (known.kind !== INPUT || definition.kind !== INITIALIZER) return false;
    return definition.isNew && (known.isNew || hostInitializers.has(name));
  }
  for (const { item, isNew } of graph.inputs) define(item.name, { position: -1, isNew, kind: INPUT });
  for (const { item, isNew } of graph.initializers) define(item.name, { position: -1, isNew, kind: INITIALIZER });
  for (const [position, { item, isNew }] of graph.nodes.entries()) {
    for (const name of item.outputs) if (name !== '') define(name, { position, isNew, kind: 'a node output' });
  }
  checkShadows(graph, values, where);
  return values;
}

const INPUT = 'an input';
const INITIALIZER = 'an initializer';
const RENAME = 'Rename the new value';

/** ONNX forbids that a subgraph defines a name of the graph around it. */
function checkShadows(graph: EffectiveGraph, values: ReadonlyMap<string, Definition>, where: string): void {
  for (const { item, isNew } of graph.nodes) {
    for (const name of innerNames(item)) {
      const outer = values.get(name);
      if (outer === undefined || !(isNew || outer.isNew)) continue;
      const found = `${outer.kind} of that name, and another in a subgraph of node "${item.name}"`;
      throw problem('duplicate-value', `${where}, value "${name}"`, 'one definition', found, RENAME);
    }
  }
}

function checkNodes(
  model: ModelProto,
  edit: ModelEdit,
  graph: EffectiveGraph,
  values: ReadonlyMap<string, Definition>,
  where: string,
): void {
  const hostDefined = new Set([
    ...model.graph.inputs.map(({ name }) => name),
    ...model.graph.initializers.map(({ name }) => name),
    ...model.graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const opsets = new Set([...model.opsetImports.keys(), ...(edit.opsetImports?.keys() ?? [])].map(normalDomain));
  const names = new Map<string, boolean>();
  for (const [position, { item, isNew }] of graph.nodes.entries()) {
    const at = `${where}, node "${item.name}" (${item.opType})`;
    if (item.name !== '' && names.has(item.name) && (isNew || names.get(item.name))) {
      throw problem('duplicate-node-name', at, 'a unique name', 'another node with that name', 'Rename the new node');
    }
    names.set(item.name, isNew || names.get(item.name) === true);
    if (isNew && !opsets.has(normalDomain(item.domain ?? ''))) throw missingOpset(at, item);
    for (const name of usedNames(item)) checkUse(at, name, position, isNew, values, hostDefined);
  }
}

function checkUse(
  at: string,
  name: string,
  position: number,
  isNew: boolean,
  values: ReadonlyMap<string, Definition>,
  hostDefined: ReadonlySet<string>,
): void {
  const definition = values.get(name);
  if (definition === undefined) {
    if (isNew) {
      throw problem(
        'undefined-input',
        at,
        `a value "${name}"`,
        'none of that name',
        'Check the name, or add the value',
      );
    }
    if (hostDefined.has(name)) {
      const hint = 'Rewire the node before you remove its input';
      throw problem('dangling-input', at, `the value "${name}"`, 'an edit that removes that value', hint);
    }
  } else if (definition.position >= position && (isNew || definition.isNew)) {
    const found = 'a later node that produces it';
    throw problem('not-topological', at, `"${name}" made before it is read`, found, 'Put the new nodes in order');
  }
}

function missingOpset(at: string, node: NodeLike): LossgraftError {
  const expected = `an opset import for the domain "${node.domain}"`;
  return problem('opset-missing', at, expected, 'none in the model or the edit', 'Add it to opsetImports');
}

function checkOutputs(graph: EffectiveGraph, values: ReadonlyMap<string, Definition>, where: string): void {
  const seen = new Map<string, boolean>();
  for (const { item, isNew } of graph.outputs) {
    const at = `${where}, output "${item.name}"`;
    if (seen.has(item.name) && (isNew || seen.get(item.name))) {
      throw problem('duplicate-output', at, 'one output with that name', 'two', 'Omit or rename the new one');
    }
    seen.set(item.name, isNew);
    if (!values.has(item.name)) {
      throw problem('undefined-output', at, 'a value with that name', 'none', 'Add a node that produces it');
    }
  }
}

function checkValueInfos(graph: EffectiveGraph, where: string): void {
  const seen = new Set([...graph.inputs, ...graph.outputs].map(({ item }) => item.name));
  for (const { item, isNew } of graph.valueInfos) {
    if (isNew && seen.has(item.name)) {
      const at = `${where}, value "${item.name}"`;
      throw problem('duplicate-value-info', at, 'its type stated once', 'twice', 'Omit the new value info');
    }
    seen.add(item.name);
  }
}

function checkVersions(model: ModelProto, edit: ModelEdit): void {
  const where = model.source.name;
  for (const [domain, version] of edit.opsetImports ?? []) {
    const at = `${where}, opset "${domain === '' ? 'ai.onnx' : domain}"`;
    const current = model.opsetImports.get(normalDomain(domain)) ?? 0;
    if (!Number.isSafeInteger(version) || version < 1) {
      throw problem('bad-opset', at, 'a version from 1 on', String(version), 'Give a whole number');
    }
    if (version < current) {
      const hint = "The host's nodes mean what they mean at their version; write the new nodes for it";
      throw problem('opset-lowered', at, `at least ${current}, which the model imports`, String(version), hint);
    }
  }
  if (edit.irVersion !== undefined && edit.irVersion < model.irVersion) {
    const expected = `at least ${model.irVersion}, which the model declares`;
    throw problem('ir-lowered', `${where}, ir_version`, expected, String(edit.irVersion), 'Leave it as it is');
  }
}

function problem(code: ErrorCode, where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
