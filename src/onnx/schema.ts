import type { IField, IType } from 'protobufjs';

/**
 * The messages of onnx.proto (proto2) up to IR 14 as protobufjs JSON. `edition` stands in each message, because protobufjs
 * takes a root's JSON without it for proto3 (packed lists, explicit zeros dropped).
 */
function message(fields: Record<string, IField>, more: Partial<IType> = {}): IType {
  return { edition: 'proto2', fields, ...more } as IType;
}

function one(id: number, type: string): IField {
  return { id, type };
}

function many(id: number, type: string): IField & { rule: string } {
  return { id, type, rule: 'repeated' };
}

function packed(id: number, type: string): IField & { rule: string } {
  return { ...many(id, type), options: { packed: true } };
}

const ENTRY = 'StringStringEntryProto';

export const ONNX_SCHEMA: Readonly<Record<string, IType>> = {
  AttributeProto: message({
    name: one(1, 'string'),
    refAttrName: one(21, 'string'),
    docString: one(13, 'string'),
    // int32 instead of the enum: an unknown number stays what it is.
    type: one(20, 'int32'),
    f: one(2, 'float'),
    i: one(3, 'int64'),
    s: one(4, 'bytes'),
    t: one(5, 'TensorProto'),
    g: one(6, 'GraphProto'),
    sparseTensor: one(22, 'SparseTensorProto'),
    tp: one(14, 'TypeProto'),
    floats: many(7, 'float'),
    ints: many(8, 'int64'),
    strings: many(9, 'bytes'),
    tensors: many(10, 'TensorProto'),
    graphs: many(11, 'GraphProto'),
    sparseTensors: many(23, 'SparseTensorProto'),
    typeProtos: many(15, 'TypeProto'),
  }),
  ValueInfoProto: message({
    name: one(1, 'string'),
    type: one(2, 'TypeProto'),
    docString: one(3, 'string'),
    metadataProps: many(4, ENTRY),
  }),
  NodeProto: message({
    input: many(1, 'string'),
    output: many(2, 'string'),
    name: one(3, 'string'),
    opType: one(4, 'string'),
    attribute: many(5, 'AttributeProto'),
    docString: one(6, 'string'),
    domain: one(7, 'string'),
    overload: one(8, 'string'),
    metadataProps: many(9, ENTRY),
    deviceConfigurations: many(10, 'NodeDeviceConfigurationProto'),
  }),
  IntIntListEntryProto: message({ key: one(1, 'int64'), value: many(2, 'int64') }),
  NodeDeviceConfigurationProto: message({
    configurationId: one(1, 'string'),
    shardingSpec: many(2, 'ShardingSpecProto'),
    pipelineStage: one(3, 'int32'),
  }),
  ShardingSpecProto: message({
    tensorName: one(1, 'string'),
    device: many(2, 'int64'),
    indexToDeviceGroupMap: many(3, 'IntIntListEntryProto'),
    shardedDim: many(4, 'ShardedDimProto'),
  }),
  ShardedDimProto: message({ axis: one(1, 'int64'), simpleSharding: many(2, 'SimpleShardedDimProto') }),
  SimpleShardedDimProto: message(
    { dimValue: one(1, 'int64'), dimParam: one(2, 'string'), numShards: one(3, 'int64') },
    { oneofs: { dim: { oneof: ['dimValue', 'dimParam'] } } },
  ),
  TrainingInfoProto: message({
    initialization: one(1, 'GraphProto'),
    algorithm: one(2, 'GraphProto'),
    initializationBinding: many(3, ENTRY),
    updateBinding: many(4, ENTRY),
  }),
  ModelProto: message({
    irVersion: one(1, 'int64'),
    producerName: one(2, 'string'),
    producerVersion: one(3, 'string'),
    domain: one(4, 'string'),
    modelVersion: one(5, 'int64'),
    docString: one(6, 'string'),
    graph: one(7, 'GraphProto'),
    opsetImport: many(8, 'OperatorSetIdProto'),
    metadataProps: many(14, ENTRY),
    trainingInfo: many(20, 'TrainingInfoProto'),
    functions: many(25, 'FunctionProto'),
    configuration: many(26, 'DeviceConfigurationProto'),
  }),
  DeviceConfigurationProto: message({
    name: one(1, 'string'),
    numDevices: one(2, 'int32'),
    device: many(3, 'string'),
  }),
  StringStringEntryProto: message({ key: one(1, 'string'), value: one(2, 'string') }),
  TensorAnnotation: message({ tensorName: one(1, 'string'), quantParameterTensorNames: many(2, ENTRY) }),
  GraphProto: message({
    node: many(1, 'NodeProto'),
    name: one(2, 'string'),
    initializer: many(5, 'TensorProto'),
    docString: one(10, 'string'),
    input: many(11, 'ValueInfoProto'),
    output: many(12, 'ValueInfoProto'),
    valueInfo: many(13, 'ValueInfoProto'),
    quantizationAnnotation: many(14, 'TensorAnnotation'),
    sparseInitializer: many(15, 'SparseTensorProto'),
    metadataProps: many(16, ENTRY),
  }),
  TensorProto: message(
    {
      dims: many(1, 'int64'),
      dataType: one(2, 'int32'),
      segment: one(3, 'Segment'),
      floatData: packed(4, 'float'),
      int32Data: packed(5, 'int32'),
      stringData: many(6, 'bytes'),
      int64Data: packed(7, 'int64'),
      name: one(8, 'string'),
      rawData: one(9, 'bytes'),
      doubleData: packed(10, 'double'),
      uint64Data: packed(11, 'uint64'),
      docString: one(12, 'string'),
      externalData: many(13, ENTRY),
      dataLocation: one(14, 'int32'),
      metadataProps: many(16, ENTRY),
    },
    { nested: { Segment: message({ begin: one(1, 'int64'), end: one(2, 'int64') }) } },
  ),
  SparseTensorProto: message({
    values: one(1, 'TensorProto'),
    indices: one(2, 'TensorProto'),
    dims: many(3, 'int64'),
  }),
  TensorShapeProto: message(
    { dim: many(1, 'Dimension') },
    {
      nested: {
        Dimension: message(
          { dimValue: one(1, 'int64'), dimParam: one(2, 'string'), denotation: one(3, 'string') },
          { oneofs: { value: { oneof: ['dimValue', 'dimParam'] } } },
        ),
      },
    },
  ),
  TypeProto: message(
    {
      tensorType: one(1, 'Tensor'),
      sequenceType: one(4, 'Sequence'),
      mapType: one(5, 'Map'),
      denotation: one(6, 'string'),
      opaqueType: one(7, 'Opaque'),
      sparseTensorType: one(8, 'SparseTensor'),
      optionalType: one(9, 'Optional'),
    },
    {
      oneofs: {
        value: {
          oneof: ['tensorType', 'sequenceType', 'mapType', 'opaqueType', 'sparseTensorType', 'optionalType'],
        },
      },
      nested: {
        Tensor: message({ elemType: one(1, 'int32'), shape: one(2, 'TensorShapeProto') }),
        Sequence: message({ elemType: one(1, 'TypeProto') }),
        Map: message({ keyType: one(1, 'int32'), valueType: one(2, 'TypeProto') }),
        Optional: message({ elemType: one(1, 'TypeProto') }),
        SparseTensor: message({ elemType: one(1, 'int32'), shape: one(2, 'TensorShapeProto') }),
        Opaque: message({ domain: one(1, 'string'), name: one(2, 'string') }),
      },
    },
  ),
  OperatorSetIdProto: message({ domain: one(1, 'string'), version: one(2, 'int64') }),
  FunctionProto: message({
    name: one(1, 'string'),
    input: many(4, 'string'),
    output: many(5, 'string'),
    attribute: many(6, 'string'),
    node: many(7, 'NodeProto'),
    docString: one(8, 'string'),
    opsetImport: many(9, 'OperatorSetIdProto'),
    domain: one(10, 'string'),
    attributeProto: many(11, 'AttributeProto'),
    valueInfo: many(12, 'ValueInfoProto'),
    overload: one(13, 'string'),
    metadataProps: many(14, ENTRY),
  }),
};
