"""Of each TensorProto file on stdin: name, dims and the hash of its elements as numpy sees them; '-' for other messages."""
import hashlib
import json
import sys

import onnx
from onnx import numpy_helper

for line in sys.stdin:
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(open(line.strip(), "rb").read())
        array = numpy_helper.to_array(tensor)
        if tensor.data_type == onnx.TensorProto.STRING:
            digest = [s.decode() if isinstance(s, bytes) else s for s in array.flatten().tolist()]
        else:
            digest = hashlib.sha256(array.tobytes()).hexdigest()
        print(json.dumps([tensor.name, list(array.shape), digest]))
    except Exception:
        print("null")
