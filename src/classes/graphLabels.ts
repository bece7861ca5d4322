import { readTensor } from '../onnx/index.ts';
import type { Attribute, ModelProto, NodeProto, TensorProto } from '../onnx/types.ts';
import { type ClassNames, classNames } from './names.ts';

const ML = 'ai.onnx.ml';

/**
 * Labels that classifiers of ai.onnx.ml hold in their graph: ZipMap's and the classical models' `classlabels_…`, a LabelEncoder from
 * indices to texts, and what an ArrayFeatureExtractor picks by ArgMax from, as skl2onnx writes a pipeline without ZipMap.
 */
export function labelsInGraph(proto: ModelProto, dir: string | undefined): ClassNames[] {
  const { nodes, initializers } = proto.graph;
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const tensors = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  const found = nodes
    .filter(({ domain }) => domain === ML)
    .flatMap((node): ClassNames[] => {
      const labels =
        ownLabels(node) ??
        encoded(node) ??
        (picksByArgMax(node, producers) ? read(proto, dir, tensors.get(node.inputs[0] ?? '')) : undefined);
      if (labels === undefined || labels.length === 0) return [];
      const areValues = typeof labels[0] === 'bigint';
      return [classNames(labels.map(String), `the labels of ${node.opType} in the file`, areValues)];
    });
  // A ZipMap decides the names of the scores before it.
  return found.sort((a, b) => Number(b.from.includes('ZipMap')) - Number(a.from.includes('ZipMap')));
}

type Labels = readonly (string | bigint)[];

function ownLabels({ attributes }: NodeProto): Labels | undefined {
  const lists = ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints'].map((name) =>
    listIn(attributes.get(name)),
  );
  return lists.find((list) => list !== undefined && list.length > 0);
}

/** ML.NET turns the index of the highest score into its name this way. */
function encoded({ opType, attributes }: NodeProto): Labels | undefined {
  if (opType !== 'LabelEncoder') return undefined;
  const keys = listIn(attributes.get('keys_int64s'));
  const values = listIn(attributes.get('values_strings'));
  const counts = keys?.every((key, index) => key === BigInt(index)) && keys.length === values?.length;
  return counts ? values : undefined;
}

function listIn(attribute: Attribute | undefined): Labels | undefined {
  return attribute?.type === 'strings' || attribute?.type === 'ints' ? attribute.value : undefined;
}

function picksByArgMax({ opType, inputs }: NodeProto, producers: ReadonlyMap<string, NodeProto>): boolean {
  return opType === 'ArrayFeatureExtractor' && producers.get(inputs[1] ?? '')?.opType === 'ArgMax';
}

/** More labels must be something else: the tensor is read into memory (CWE-770). */
const MAX_LABELS = 1_000_000;

function read(proto: ModelProto, dir: string | undefined, tensor: TensorProto | undefined): Labels | undefined {
  const isLabels = tensor?.dtype === 'string' || tensor?.dtype === 'int64' || tensor?.dtype === 'int32';
  if (tensor === undefined || !isLabels || tensor.dims.reduce((n, d) => n * d, 1) > MAX_LABELS) return undefined;
  const { data } = readTensor(proto.source, tensor, dir === undefined ? {} : { modelDir: dir });
  return Array.from<string | number | bigint, string | bigint>(data, (item) =>
    typeof item === 'number' ? BigInt(item) : item,
  );
}
