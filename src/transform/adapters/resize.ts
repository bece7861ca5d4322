import { attribute, string, stringAttribute } from '../../ir/attributes.ts';
import type { Value } from '../../ir/graph.ts';
import { type Adapter, type AdapterContext, cannotRaise, type Form, withAttributes } from './adapter.ts';

/** 9: the scales became an input. */
export const upsampleScales: Adapter = ({ op, node, form }) => {
  const scales = Float32Array.from(attribute(node, 'scales', 'floats') ?? []);
  const input = op.constant({ dtype: 'float32', dims: [scales.length], data: scales });
  return { ...withAttributes(form, ['scales']), inputs: [form.inputs[0], input] };
};

/** 10: Upsample was renamed. */
export const upsampleToResize: Adapter = ({ form }) => ({ ...form, opType: 'Resize' });

/**
 * 11: the coordinate transformation became an attribute; before, it was x / scale. Nearest rounded down when enlarging and up when
 * shrinking (ONNX left that open; this is ONNX Runtime's behaviour), so a call that does both becomes two. Upsample only enlarges.
 */
export const resizePixels: Adapter = (context) => {
  const { form } = context;
  const mode = stringAttribute(context.node, 'mode', 'nearest');
  const [x, scales] = form.inputs;
  if (mode !== 'nearest') return resize(context, form, x, scales);
  if (context.node.opType === 'Upsample') return resize(context, form, x, scales, 'floor');
  const factors = scales && context.constant(scales);
  if (!factors) {
    throw cannotRaise(context.node, 'constant scales of a nearest-neighbour resize', 'scales that are computed');
  }
  const enlarged = factors.map((factor) => Math.max(1, factor));
  const shrunk = factors.map((factor) => Math.min(1, factor));
  if (shrunk.every((factor) => factor === 1)) return resize(context, form, x, scales, 'floor');
  if (enlarged.every((factor) => factor === 1)) return resize(context, form, x, scales, 'ceil');
  const larger = resize(context, form, x, vector(context, enlarged), 'floor');
  const between = context.op.call('Resize', larger.inputs, {
    attributes: {
      mode: string('nearest'),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string('floor'),
    },
  });
  return resize(context, form, between, vector(context, shrunk), 'ceil');
};

function resize(
  { op }: AdapterContext,
  form: Form,
  x: Value | undefined,
  scales: Value | undefined,
  nearest?: 'floor' | 'ceil',
): Form {
  const added = new Map([['coordinate_transformation_mode', string('asymmetric')]]);
  if (nearest) added.set('nearest_mode', string(nearest));
  const roi = op.opset >= 13 ? undefined : op.constant({ dtype: 'float32', dims: [0], data: new Float32Array(0) });
  return { ...withAttributes(form, [], added), inputs: [x, roi, scales] };
}

function vector({ op }: AdapterContext, values: readonly number[]): Value {
  return op.constant({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
}

/** 13: unused inputs are omitted, instead of empty tensors; one coordinate rule was removed. */
export const resizeInputs: Adapter = ({ node, form, constant }) => {
  const rule = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  if (rule === 'tf_half_pixel_for_nn') throw cannotRaise(node, 'a pixel rule that opset 13 still has', `"${rule}"`);
  const isEmpty = (value: Value | undefined) => value === undefined || constant(value)?.length === 0;
  const [x, roi, scales, sizes] = form.inputs;
  const own = [
    x,
    isEmpty(roi) ? undefined : roi,
    isEmpty(scales) ? undefined : scales,
    isEmpty(sizes) ? undefined : sizes,
  ];
  return { ...form, inputs: own.slice(0, own.findLastIndex((input) => input !== undefined) + 1) };
};
