"""What Python's onnx says of training graphs, without ONNX Runtime. Reads JSON {"check": [path], "run": [{"model", "state", "reference"}]}.

`check`: onnx.checker's full check; prints for each `ok`, `skip: why` where this onnx is older than the file's opset, or the problem.
`run`: the model in onnx.reference, fed with the arrays of `reference` (.npz) and `state` (.safetensors); prints for each the operator that
it cannot run, or by output [largest difference to the reference, largest magnitude of the reference]."""

import json
import sys

import numpy as np
import onnx

sys.setrecursionlimit(10_000)


def check(path: str) -> str:
    model = onnx.load(path)
    opset = max(entry.version for entry in model.opset_import if entry.domain == "")
    known = onnx.defs.onnx_opset_version()
    if opset > known:
        return f"skip: onnx {onnx.__version__} knows opsets up to {known}, not {opset}"
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        return " ".join(str(error).split())[:300]
    return "ok"


def safetensors(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data, np.float32)[entry["data_offsets"][0] // 4 : entry["data_offsets"][1] // 4].reshape(entry["shape"])
        for name, entry in header.items()
    }


def both_ways():
    """onnx.reference's Scan goes forward alone: sequences that go the other way are turned before and after it."""
    from onnx.reference.ops.op_scan import Scan as Forward

    class Scan(Forward):
        def __init__(self, node, run_params):
            own = {a.name: list(a.ints) for a in node.attribute if a.name in ("scan_input_directions", "scan_output_directions")}
            kept = onnx.NodeProto()
            kept.CopyFrom(node)
            del kept.attribute[:]
            kept.attribute.extend(a for a in node.attribute if a.name not in own)
            super().__init__(kept, run_params)
            self.turned = own.get("scan_input_directions", []), own.get("scan_output_directions", [])

        def _run(self, *args, **rest):
            before, after = self.turned
            states = len(args) - self.num_scan_inputs
            flip = lambda values, directions: [np.flip(v, 0) if d else v for v, d in zip(values, directions or [0] * len(values), strict=True)]
            results = super()._run(*args[:states], *flip(args[states:], before), **rest)
            return *results[:states], *flip(results[states:], after)

    return Scan


def run(model: str, state: str, reference: str) -> dict:
    from onnx.reference import ReferenceEvaluator

    arrays = dict(np.load(reference))
    pool = {**safetensors(state), **arrays}
    proto = onnx.load(model)
    types = {info.name: onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type) for info in proto.graph.input}
    feeds = {name: pool[name].astype(dtype) for name, dtype in types.items()}
    try:
        evaluator = ReferenceEvaluator(proto, new_ops=[both_ways()])
        found = dict(zip(evaluator.output_names, evaluator.run(None, feeds)))
    except Exception as error:
        return {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    compared = [name for name in found if name in arrays]
    differences = {name: found[name].astype(np.float64) - arrays[name] for name in compared}
    return {"errors": {name: [float(np.abs(differences[name]).max()), float(np.abs(arrays[name]).max())] for name in compared}}


task = json.load(sys.stdin)
print(json.dumps({"check": [check(path) for path in task["check"]], "run": [run(**entry) for entry in task["run"]]}))
