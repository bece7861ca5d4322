"""Makes the edit of testdata.test.ts with Python's onnx: append, then SerializeToString. Files on stdin; a line per file."""
import hashlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

for line in sys.stdin:
    path = line.strip()
    model = onnx.load_model(path, load_external_data=False)
    body = helper.make_graph(
        [helper.make_node("Identity", ["sp_in"], ["sp_out"], name="sp_body")],
        "sp_graph",
        [helper.make_tensor_value_info("sp_in", TensorProto.FLOAT, ["N"])],
        [helper.make_tensor_value_info("sp_out", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(np.array([3], np.int64), "sp_const")],
    )
    graph = model.graph
    graph.node.append(
        helper.make_node(
            "Spliced", ["sp_a", "", "sp_b"], ["sp_y", "sp_z"], name="sp_node", domain="com.example",
            a_f=1.5, b_i=-(2**63), c_s="naïve", d_t=numpy_helper.from_array(np.array([[1, -2]], np.int8)), e_g=body,
            f_fs=[0.5, -0.0], g_is=[0, -1, 2**63 - 1], h_ss=["", "é"],
        )
    )
    graph.node.append(helper.make_node("Identity", ["sp_y"], ["sp_out2"]))
    graph.initializer.append(numpy_helper.from_array(np.array([[1, 2], [3, 4]], np.float32), "sp_w"))
    graph.initializer.append(numpy_helper.from_array(np.array([1.5], np.float16), "sp_h"))
    graph.initializer.append(numpy_helper.from_array(np.array(7, np.int64), "sp_scalar"))
    graph.input.append(helper.make_tensor_value_info("sp_in", TensorProto.INT64, ["N", 3]))
    graph.output.append(helper.make_tensor_value_info("sp_y", TensorProto.FLOAT, []))
    graph.value_info.append(helper.make_tensor_value_info("sp_z", TensorProto.BOOL, [None, 0]))
    model.opset_import.append(helper.make_opsetid("com.example", 3))
    entry = model.metadata_props.add()
    entry.key, entry.value = "lossgraft", "{}"
    model.ir_version = 9
    print(hashlib.sha256(model.SerializeToString()).hexdigest())
