"""onnx.proto as this Python's onnx has it: per message its fields as [number, rule, type, packed]."""
import json

import onnx
from google.protobuf.descriptor import FieldDescriptor as F

SCALARS = {F.TYPE_FLOAT: "float", F.TYPE_DOUBLE: "double", F.TYPE_INT64: "int64", F.TYPE_UINT64: "uint64",
           F.TYPE_INT32: "int32", F.TYPE_STRING: "string", F.TYPE_BYTES: "bytes", F.TYPE_ENUM: "int32"}


def repeated(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == F.LABEL_REPEATED


def collect(message, out):
    out[message.full_name.removeprefix("onnx.")] = {
        f.camelcase_name: [
            f.number,
            "repeated" if repeated(f) else "optional",
            SCALARS.get(f.type) or f.message_type.name,
            f.GetOptions().packed,
        ]
        for f in message.fields
    }
    for nested in message.nested_types:
        collect(nested, out)


result = {}
for message in onnx.onnx_ml_pb2.DESCRIPTOR.message_types_by_name.values():
    collect(message, result)
print(json.dumps(result))
