"""Models of one node, which kernels.ts runs on WebGPU: the cases of ONNX's backend test, at every opset that changed the operator, with other types.

    python scripts/webgpu/kernelCases.py FOLDER      # with onnx 1.23

Writes FOLDER/NUMBER.onnx, and FOLDER/cases.json with the operator, opset, type and feeds of each. What ONNX does not allow is noted as such.
"""
import json
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from onnx import TensorProto, checker, defs

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

FIRST, LAST, MOST_ELEMENTS = 11, 26, 4000
FED = ("float32", "int32", "int64", "bool", "uint8")
GIVEN = (TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8)
TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64}
NUMPY = {"float32": np.float32, "int32": np.int32, "int64": np.int64}


def variant_of(node: onnx.NodeProto) -> str:
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "MaxPool" and len(node.output) > 1:
        return "MaxPool[+Indices]"
    if node.op_type == "BatchNormalization" and "training_mode" in attributes and attributes["training_mode"].i:
        return "BatchNormalization[training_mode=1]"
    if "reduction" in attributes and node.op_type.startswith("Scatter") and attributes["reduction"].s != b"none":
        return f"{node.op_type}[reduction={attributes['reduction'].s.decode()}]"
    return node.op_type


def arrays_of(case) -> list[np.ndarray] | None:
    arrays = case.data_sets[0][0]
    if not all(isinstance(a, np.ndarray) and str(a.dtype) in FED and a.size <= MOST_ELEMENTS for a in arrays):
        return None
    if not all(v.type.tensor_type.elem_type in GIVEN for v in case.model.graph.output):
        return None
    return list(arrays)


def opsets_of(op: str) -> list[int]:
    since = sorted({s.since_version for s in defs.get_all_schemas_with_history() if s.name == op and s.domain == ""})
    before = [v for v in since if v <= FIRST]
    return ([FIRST] if before else []) + [v for v in since if FIRST < v <= LAST]


def allows(op: str, opset: int, dtype: str) -> bool:
    schema = defs.get_schema(op, opset, "")
    return not schema.inputs or f"tensor({ {'float32': 'float'}.get(dtype, dtype) })" in schema.inputs[0].types


def axes_into_attribute(graph, opset: int, arrays: list[np.ndarray]) -> None:
    """Axes were attributes: of Squeeze, Unsqueeze and ReduceSum below opset 13, of other reductions below 18."""
    node = graph.node[0]
    is_early = node.op_type in ("Squeeze", "Unsqueeze", "ReduceSum")
    if not (is_early or node.op_type.startswith("Reduce")) or opset >= (13 if is_early else 18) or len(node.input) < 2:
        return
    axes = arrays.pop(1)
    del node.input[1], graph.input[1]
    if axes.size > 0:
        node.attribute.append(onnx.helper.make_attribute("axes", axes.tolist()))


def retargeted(case, opset: int, dtype: str):
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    model.opset_import[0].version = opset
    model.ir_version = min(model.ir_version, 10)
    arrays = arrays_of(case)
    axes_into_attribute(model.graph, opset, arrays)
    if dtype != "float32":
        for value in [*model.graph.input, *model.graph.output]:
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TYPES[dtype]
        arrays = [np.round(a * 4).astype(NUMPY[dtype]) if a.dtype == np.float32 else a for a in arrays]
    checker.check_model(model)
    return model, arrays


def casts() -> dict[str, list]:
    """Casts between types that training uses, which the backend test does not have."""
    found = {}
    for source, target in [("float", "int32"), ("int32", "float"), ("bool", "float"), ("float", "int64"), ("int64", "float"), ("int64", "int32")]:
        types = {"float": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
        node = onnx.helper.make_node("Cast", ["x"], ["y"], to=types[target])
        ends = [[onnx.helper.make_tensor_value_info(n, types[t], [2, 3])] for n, t in (("x", source), ("y", target))]
        model = onnx.helper.make_model(onnx.helper.make_graph([node], "cast", *ends))
        x = np.arange(6).reshape(2, 3).astype({"float": np.float32, "bool": np.bool_}.get(source, source))
        found["Cast" if (source, target) == ("float", "int32") else f"Cast[{source} to {target}]"] = [SimpleNamespace(model=model, data_sets=[([x], [])])]
    return found


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    groups = defaultdict(list)
    for case in collect_testcases(None):
        graph = case.model.graph
        if len(graph.node) == 1 and graph.node[0].domain == "" and not graph.initializer and arrays_of(case):
            groups[variant_of(graph.node[0])].append(case)
    groups.update(casts())
    cases = []
    for name, own in sorted(groups.items()):
        op = name.split("[")[0]
        natural = op != "Cast" and any(a.dtype == np.float32 for case in own for a in arrays_of(case)[:1])
        own = sorted(own, key=lambda case: arrays_of(case)[0].dtype != np.float32)
        for opset in opsets_of(op):
            for dtype in TYPES if natural else ["float32"]:
                entry = {"name": name, "opset": opset, "dtype": dtype, "tries": []}
                cases.append(entry)
                if natural and not allows(op, opset, dtype):
                    continue
                for case in own:
                    try:
                        model, arrays = retargeted(case, opset, dtype)
                    except Exception:
                        continue
                    file = f"{len(cases)}-{len(entry['tries'])}.onnx"
                    (folder / file).write_bytes(model.SerializeToString())
                    feeds = {
                        v.name: {"dtype": str(a.dtype), "dims": list(a.shape), "data": [str(x) for x in a.flatten().tolist()]}
                        for v, a in zip(model.graph.input, arrays)
                    }
                    entry["tries"].append({"file": file, "feeds": feeds})
                    if len(entry["tries"]) == 2:
                        break
                entry["allowed"] = True
    (folder / "cases.json").write_text(json.dumps({"onnx": onnx.__version__, "cases": cases}))
    print(len(cases), sum(len(c["tries"]) for c in cases))


main(Path(sys.argv[1]))
