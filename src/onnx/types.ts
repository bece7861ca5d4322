import type { ByteSource } from '../files/bytes.ts';
import type { DataType, Dim, Shape, Tensor } from '../tensor.ts';

/** A field in the file: its tag starts at `start`, its payload at `body`, and it ends before `end`. */
export interface Span {
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** Where a tensor's elements are. Nothing is loaded: {@link TensorProto} is a view. */
export type Payload =
  | { readonly kind: 'raw'; readonly offset: number; readonly length: number }
  /** float_data, int32_data, … : runs of packed or unpacked fields of one number, decoded on demand. */
  | { readonly kind: 'typed'; readonly fields: readonly Span[] }
  | { readonly kind: 'external'; readonly entries: ReadonlyMap<string, string> };

export interface TensorProto {
  readonly span: Span;
  readonly name: string;
  /** `undefined` for a data type number that is newer than this library. */
  readonly dtype: DataType | undefined;
  readonly dtypeNumber: number;
  readonly dims: readonly number[];
  readonly payload: Payload;
}

export type Attribute =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: TensorProto }
  | { readonly type: 'graph'; readonly value: GraphProto }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensors'; readonly value: readonly TensorProto[] }
  | { readonly type: 'graphs'; readonly value: readonly GraphProto[] }
  /** A function's formal attribute: takes the value of the caller's attribute of that name. */
  | { readonly type: 'reference'; readonly value: string }
  /**
   * Kept in the file, never looked into; `value` is the AttributeProto.type. Sparse tensors and type protos, and what is too
   * big for a view: strings above 1 MiB or not UTF-8, lists above 2^20 elements.
   */
  | { readonly type: 'other'; readonly value: number };

export interface NodeProto {
  readonly span: Span;
  readonly name: string;
  readonly opType: string;
  /** '' is ai.onnx (also where the file says "ai.onnx"). */
  readonly domain: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface TensorType {
  readonly dtype: DataType | undefined;
  readonly shape: Shape;
}

export interface ValueInfoProto {
  readonly span: Span;
  readonly name: string;
  /** `undefined` for no type, or a type that is no dense tensor (then `kind` says which). */
  readonly type: TensorType | undefined;
  readonly kind: 'tensor' | 'sequence' | 'map' | 'optional' | 'sparse' | 'opaque' | 'none';
  /** Of each dimension of a tensor type, the span of its TensorShapeProto.Dimension field. */
  readonly dimSpans: readonly Span[];
  readonly metadata: ReadonlyMap<string, string>;
}

export interface GraphProto {
  readonly span: Span;
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly sparseInitializerNames: readonly string[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly valueInfos: readonly ValueInfoProto[];
}

export interface FunctionProto {
  readonly span: Span;
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributeNames: readonly string[];
  readonly attributeDefaults: ReadonlyMap<string, Attribute>;
  readonly nodes: readonly NodeProto[];
  readonly opsetImports: ReadonlyMap<string, number>;
}

/** A scanned model: structure in memory, payloads in the file. */
export interface ModelProto {
  readonly source: ByteSource;
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: bigint;
  readonly docString: string;
  /** Domain ('' is ai.onnx) to version. */
  readonly opsetImports: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: GraphProto;
  readonly functions: readonly FunctionProto[];
}

/** A new attribute's value. */
export type AttributeInit =
  | Exclude<Attribute, { type: 'tensor' | 'graph' | 'tensors' | 'graphs' | 'reference' | 'other' }>
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: GraphInit };

export interface NodeInit {
  readonly name: string;
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: ReadonlyMap<string, AttributeInit>;
}

export interface ValueInit {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly Dim[];
}

export interface InitializerInit {
  readonly name: string;
  readonly tensor: Tensor;
}

/** An initializer's field as it is in a file, tag and all, but under another name. */
export interface RawInitializer {
  readonly name: string;
  readonly raw: Uint8Array;
}

/** A node's field as it is in a file, tag and all. */
export interface RawNode {
  readonly raw: Uint8Array;
}

/** A body's input or output that is listed by name alone: what calls the body gives its type. */
export interface UntypedInit {
  readonly name: string;
}

/** A whole new graph (a Loop's body). */
export interface GraphInit {
  readonly name: string;
  readonly nodes: readonly (NodeInit | RawNode)[];
  readonly initializers: readonly InitializerInit[];
  readonly inputs: readonly (ValueInit | UntypedInit)[];
  readonly outputs: readonly (ValueInit | UntypedInit)[];
}

/** Replaces the field at `span` (tag included) by `bytes` (a whole field or nothing). */
export interface Replacement {
  readonly span: Span;
  readonly bytes: Uint8Array;
}

export interface NodesBefore {
  /** The span of the file's node. */
  readonly before: Span;
  readonly nodes: readonly NodeInit[];
}

/**
 * What to change in a model. New nodes go after the last node, new initializers after the last initializer, and so on; a kind
 * of field that the graph does not have yet goes before the first field with a greater number.
 */
export interface ModelEdit {
  readonly nodes?: readonly NodeInit[];
  /** New nodes that have to stand before a node of the file. */
  readonly nodesBefore?: readonly NodesBefore[];
  readonly initializers?: readonly (InitializerInit | RawInitializer)[];
  readonly inputs?: readonly ValueInit[];
  readonly outputs?: readonly ValueInit[];
  /** Outputs that are listed by name alone: ONNX Runtime infers their types (the checker refuses them in a file). */
  readonly untypedOutputs?: readonly string[];
  readonly valueInfos?: readonly ValueInit[];
  /** Opset imports to set: replaces the entry of that domain, or adds one. */
  readonly opsetImports?: ReadonlyMap<string, number>;
  /** metadata_props to set. */
  readonly metadata?: ReadonlyMap<string, string>;
  readonly irVersion?: number;
  /** Whole fields, at any depth, that are left out. */
  readonly removals?: readonly Span[];
  /** Fields, at any depth, that are replaced; enclosing lengths are rewritten. */
  readonly replacements?: readonly Replacement[];
}
