"""Runs a graph of float32 as if it were one of float64, by the reference implementation of ONNX.

    python float64.py MODEL FEEDS.npz RESULTS.npz               once
    python float64.py MODEL FEEDS.npz RESULTS.npz 1 10 100      a training step again and again; the state after so many as stepK/NAME

Every float type becomes double. A lone number that lossgraft or an exporter had to round to float32 becomes the decimal that was meant:
0.9, not 0.89999998; class weights are the manifest's. Convolutions, MaxPool and ScatterElements, which the reference implementation does element by element, are PyTorch's.
"""

import json
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import AttributeProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


def meant(number: float) -> float:
    return float(str(np.float32(number)))


def widened(tensor: TensorProto) -> TensorProto:
    if tensor.data_type != TensorProto.FLOAT:
        return tensor
    array = numpy_helper.to_array(tensor).astype(np.float64)
    if array.size == 1:
        array = np.full(array.shape, meant(array.item()))
    return numpy_helper.from_array(array, tensor.name)


def widen(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        tensor.CopyFrom(widened(tensor))
    for info in [*graph.input, *graph.output]:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                attribute.t.CopyFrom(widened(attribute.t))
            elif attribute.type == AttributeProto.GRAPH:
                widen(attribute.g)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE


def padded(x: torch.Tensor, pads: list[int], value: float) -> torch.Tensor:
    rank = len(pads) // 2
    flat = [pads[i + end * rank] for i in reversed(range(rank)) for end in (0, 1)]
    return F.pad(x, flat, value=value)


def notset(auto_pad: str | None) -> None:
    assert auto_pad in (None, "NOTSET"), auto_pad


class Conv(OpRun):
    def _run(self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None, pads=None, strides=None):
        notset(auto_pad)
        rank = w.ndim - 2
        conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        x = padded(torch.from_numpy(np.ascontiguousarray(x)), list(pads or [0] * 2 * rank), 0.0)
        args = torch.from_numpy(np.ascontiguousarray(w)), None if b is None else torch.from_numpy(np.ascontiguousarray(b))
        return (conv(x, *args, tuple(strides or [1] * rank), 0, tuple(dilations or [1] * rank), group or 1).numpy(),)


class ConvTranspose(OpRun):
    def _run(
        self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None, output_padding=None, output_shape=None, pads=None, strides=None
    ):
        notset(auto_pad)
        rank = w.ndim - 2
        pads = list(pads or [0] * 2 * rank)
        assert pads[:rank] == pads[rank:] and not output_shape, (pads, output_shape)
        conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
        args = [torch.from_numpy(np.ascontiguousarray(a)) for a in (x, w)]
        bias = None if b is None else torch.from_numpy(np.ascontiguousarray(b))
        more = tuple(strides or [1] * rank), tuple(pads[:rank]), tuple(output_padding or [0] * rank), group or 1, tuple(dilations or [1] * rank)
        return (conv(*args, bias, *more).numpy(),)


class MaxPool(OpRun):
    def _run(self, x, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None, storage_order=None, strides=None):
        notset(auto_pad)
        rank = len(kernel_shape)
        pads = list(pads or [0] * 2 * rank)
        assert pads[:rank] == pads[rank:] and rank == 2, pads
        x = torch.from_numpy(np.ascontiguousarray(x))
        more = tuple(strides or [1] * rank), tuple(pads[:rank]), tuple(dilations or [1] * rank), bool(ceil_mode)
        y, places = F.max_pool2d(x, tuple(kernel_shape), *more, return_indices=True)
        if len(self.onnx_node.output) == 1:
            return (y.numpy(),)
        planes = torch.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1, 1) * x.shape[2] * x.shape[3]
        return y.numpy(), (places + planes).numpy()


class ScatterElements(OpRun):
    def _run(self, data, indices, updates, axis=None, reduction=None):
        data, indices, updates = (torch.from_numpy(np.ascontiguousarray(a)) for a in (data, indices, updates))
        axis = axis or 0
        indices = torch.where(indices < 0, indices + data.shape[axis], indices)
        if reduction in (None, "none"):
            return (data.scatter(axis, indices, updates).numpy(),)
        assert reduction == "add", reduction
        return (data.scatter_add(axis, indices, updates).numpy(),)


def restore_weights(model: onnx.ModelProto) -> None:
    """The manifest has the class weights as they were before they were rounded."""
    manifest = json.loads({entry.key: entry.value for entry in model.metadata_props}["lossgraft"])
    if manifest["classWeights"] is None:
        return
    exact = np.array(manifest["classWeights"]["values"])
    rounded = [t for t in model.graph.initializer if list(t.dims) == [len(exact)] and np.array_equal(numpy_helper.to_array(t), exact.astype(np.float32))]
    for tensor in rounded:
        tensor.CopyFrom(numpy_helper.from_array(exact, tensor.name))


def session_of(path: str) -> tuple[ReferenceEvaluator, list[str], list[str]]:
    model = onnx.load(path)
    restore_weights(model)
    widen(model.graph)
    names = [info.name for info in model.graph.input], [info.name for info in model.graph.output]
    return ReferenceEvaluator(model, new_ops=[Conv, ConvTranspose, MaxPool, ScatterElements]), *names


def wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype == np.float32 else array


def walk(path: str, given: dict[str, np.ndarray], milestones: list[int]) -> dict[str, np.ndarray]:
    """What `<name>.next` gives is `<name>` in the next step; of other inputs step t takes row t, and a scalar every time."""
    session, inputs, outputs = session_of(path)
    state = {name: given[name] for name in inputs if f"{name}.next" in outputs}
    reached = {}
    for step in range(1, max(milestones) + 1):
        batch = {name: given[name][step - 1] if given[name].ndim else given[name] for name in inputs if name not in state}
        results = dict(zip(outputs, session.run(None, state | batch), strict=True))
        state = {name: results[f"{name}.next"] for name in state}
        if step in milestones:
            reached |= {f"step{step}/{name}": value for name, value in state.items()}
    return reached


def main() -> None:
    model, feeds, out, *milestones = sys.argv[1:]
    given = {name: wide(value) for name, value in np.load(feeds).items()}
    if milestones:
        results = walk(model, given, [int(step) for step in milestones])
    else:
        session, inputs, outputs = session_of(model)
        results = dict(zip(outputs, session.run(None, {name: given[name] for name in inputs}), strict=True))
    np.savez(out, **results)


main()
