/** Bounds on untrusted bytes. No model that ONNX Runtime loads reaches them. */

/** Messages within messages; protobuf's own limit, so ONNX Runtime refuses deeper files too (CWE-674). */
export const MAX_DEPTH = 100;

/** A protobuf varint never takes more (64 bits, 7 a byte). */
export const MAX_VARINT_BYTES = 10;

/** Names, doc strings and metadata values; above it V8 could not hold the string (CWE-770). */
export const MAX_STRING_BYTES: number = 64 * 2 ** 20;

/** Above these an attribute's view is `other`: EPContext nodes keep whole compiled networks in a string. */
export const MAX_ATTRIBUTE_BYTES: number = 2 ** 20;
export const MAX_ATTRIBUTE_ELEMENTS: number = 2 ** 20;

/** protobuf's limit for one message, hence for a model file. */
export const MAX_MODEL_BYTES: number = 2 ** 31 - 1;

/** Bytes copied at a time: fits into a core's cache, which measured faster than megabytes and as fast as `cp`. */
export const COPY_BYTES: number = 128 * 1024;
