import {
  attribute,
  floatAttribute,
  int,
  intAttribute,
  intsAttribute,
  string,
  stringAttribute,
} from '../../ir/attributes.ts';
import type { Value } from '../../ir/graph.ts';
import { type Adapter, cannotRaise, dtypeOf, type Form, withAttributes } from './adapter.ts';

/** Axes, or the sizes of a Split, became an input; absent ones stay absent. */
function vectorToInput(name: string): Adapter {
  return ({ op, node, form }) => {
    const values = intsAttribute(node, name);
    if (values === undefined) return form;
    const inputs = values.length === 0 ? form.inputs : [form.inputs[0], op.vector(values)];
    return { ...withAttributes(form, [name]), inputs };
  };
}

/** 13: the attribute `axes` became an input. */
export const axesToInput: Adapter = vectorToInput('axes');

/** 13: the attribute `split` became an input. */
export const splitToInput: Adapter = vectorToInput('split');

/** 11: the bounds became inputs of x's element type. */
export const clipBounds: Adapter = (context) => {
  const { op, node, form } = context;
  const [x] = form.inputs;
  const bound = (name: string): Value | undefined => {
    const value = attribute(node, name, 'float');
    return value === undefined ? undefined : op.scalar(value, dtypeOf(context, x));
  };
  return { ...withAttributes(form, ['min', 'max']), inputs: trimmed([x, bound('min'), bound('max')]) };
};

/** 10: starts, ends and axes became inputs. */
export const sliceRanges: Adapter = ({ op, node, form }) => {
  const vectors = ['starts', 'ends', 'axes'].map((name) => intsAttribute(node, name));
  const inputs = [form.inputs[0], ...vectors.map((values) => values && op.vector(values))];
  return { ...withAttributes(form, ['starts', 'ends', 'axes']), inputs: trimmed(inputs) };
};

/** 11: pads and the constant became inputs. */
export const padInputs: Adapter = (context) => {
  const { op, node, form } = context;
  const [x] = form.inputs;
  const value = stringAttribute(node, 'mode', 'constant') === 'constant' ? floatAttribute(node, 'value', 0) : 0;
  const constant = value === 0 ? undefined : op.scalar(value, dtypeOf(context, x));
  const pads = op.vector(intsAttribute(node, 'pads') ?? []);
  return { ...withAttributes(form, ['pads', 'value']), inputs: trimmed([x, pads, constant]) };
};

/** 10: k became an input. */
export const topK: Adapter = ({ op, node, form }) => ({
  ...withAttributes(form, ['k']),
  inputs: [form.inputs[0], op.vector([intAttribute(node, 'k', 0)])],
});

/** 10: the mask became bool, and has no meaning outside training, which did not exist yet. */
export const dropoutMask: Adapter = (context) => {
  const { node, form, isRead } = context;
  if (!isRead(1)) return { ...form, outputs: form.outputs.slice(0, 1) };
  throw cannotRaise(node, 'a Dropout whose mask has no reader', `readers of "${form.outputs[1]?.name ?? ''}"`);
};

/** 12: the ratio became an input. */
export const dropoutRatio: Adapter = (context) => {
  const form = dropoutMask(context);
  const ratio = context.op.scalar(floatAttribute(context.node, 'ratio', 0.5), 'float32');
  return { ...withAttributes(form, ['ratio']), inputs: [form.inputs[0], ratio] };
};

/** 11: Scatter was renamed. */
export const scatterElements: Adapter = ({ form }) => ({ ...form, opType: 'ScatterElements' });

/** 16: half pixels became the default. */
export const roiAlignPixels: Adapter = ({ form }) =>
  withAttributes(form, [], new Map([['coordinate_transformation_mode', string('output_half_pixel')]]));

/** 9: only statistics over all dimensions except the channels remain. */
export const spatialBatchNorm: Adapter = ({ node, form }) => {
  if (intAttribute(node, 'spatial', 1) === 1) return withAttributes(form, ['spatial']);
  throw cannotRaise(node, 'statistics over all positions', 'statistics for each position (spatial = 0)');
};

/** 14: training became an attribute, instead of being implied by several outputs; the saved statistics were removed. */
export const batchNormTraining: Adapter = (context) => {
  const { node, form } = context;
  if (!form.outputs.slice(1).some((output) => output !== undefined)) return form;
  const saved = [3, 4].find(context.isRead);
  if (saved !== undefined) {
    const found = `readers of "${form.outputs[saved]?.name ?? ''}"`;
    throw cannotRaise(node, 'a BatchNormalization whose saved statistics nothing reads', found);
  }
  const training = withAttributes(form, [], new Map([['training_mode', int(1)]]));
  return { ...training, outputs: form.outputs.slice(0, 3) };
};

/** Without omitted inputs at the end. */
function trimmed(inputs: Form['inputs']): Form['inputs'] {
  const last = inputs.findLastIndex((input) => input !== undefined);
  return inputs.slice(0, last + 1);
}
