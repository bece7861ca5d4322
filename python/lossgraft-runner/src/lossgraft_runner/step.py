"""One step of all workers: gradients of each one's part of the batch, one all-reduce, the update."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .collective import Buffer, Collective
from .data import Array
from .errors import RunnerError
from .plan import Graph, Plan
from .state import State

FLAGS = 2
"""Behind the loss in the buffer: how many workers have a problem, and whether a checkpoint is due."""


def part_of(size: int, rank: int, count: int) -> tuple[int, int]:
    """The rows of a batch that a worker takes. The whole batch is the same with any number of workers."""
    return rank * size // count, (rank + 1) * size // count


class Step:
    """The graphs of a phase, with the buffer [gradients | statistics | loss | flags]."""

    def __init__(self, plan: Plan, graph: Graph, state: State, threads: int) -> None:
        self._graph = graph
        self._gradients = _open(plan, graph.gradients, threads)
        self._apply = _open(plan, graph.apply, threads)
        self._inputs = {own.name for own in self._gradients.get_inputs()}
        self._applied = {own.name for own in self._apply.get_inputs()}
        self._nexts = [own.name for own in self._apply.get_outputs()]
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {}
        at = 0
        for output in graph.outputs:
            shape = () if output.name == graph.loss else state[output.name.rsplit(".", 1)[0]].shape
            self._places[output.name] = (at, shape)
            at += int(np.prod(shape, dtype=np.int64))
        self._numbers = at
        self.buffer: Buffer = np.zeros(at + FLAGS, np.float32)

    def gradients(self, state: State, feeds: dict[str, Array], place: tuple[int, int, int], is_first: bool) -> None:
        """
        Fills the buffer with this worker's share.

        place: the first row, the one after the last, and how many rows the whole batch has.
        is_first: whether this is the first worker that has rows: what is the same on all is taken from it.
        """
        first, last, size = place
        self.buffer[:] = 0
        if first == last:
            return
        own: dict[str, Any] = {name: tensor for name, tensor in state.items() if name in self._inputs}
        if self._graph.row_offset is not None:
            own[self._graph.row_offset] = np.array(first, np.int64)
        names = [output.name for output in self._graph.outputs]
        found = self._gradients.run(names, {**own, **feeds})
        for output, value in zip(self._graph.outputs, found, strict=True):
            weight = {"weighted-mean": (last - first) / size, "sum": 1.0, "same": 1.0 if is_first else 0.0}[
                output.combine
            ]
            at, _ = self._places[output.name]
            np.multiply(value, np.float32(weight), out=self.buffer[at : at + value.size].reshape(value.shape))
        if not np.isfinite(self.buffer).all():
            broken = next(
                output.name
                for output, value in zip(self._graph.outputs, found, strict=True)
                if not np.isfinite(value).all()
            )
            self.buffer[:] = 0
            raise RunnerError(
                f"its rows {first} to {last - 1} of the batch",
                "finite numbers",
                f'NaN or infinity in "{broken}"',
                "Export the job again with a lower --learning-rate, or --clip-norm 1; its last checkpoint is whole",
            )

    def exchange(self, collective: Collective, *, has_problem: bool, is_due: bool) -> tuple[int, bool]:
        """The one all-reduce. Gives how many workers have a problem, and whether a checkpoint is due."""
        self.buffer[self._numbers] = float(has_problem)
        self.buffer[self._numbers + 1] = float(is_due)
        collective.all_reduce(self.buffer)
        return round(float(self.buffer[self._numbers])), bool(self.buffer[self._numbers + 1] > 0)

    def apply(self, state: State, rate: float) -> tuple[State, float]:
        """The next state, and the loss of the whole batch."""
        combined = {name: self._take(name) for name in self._places}
        pool: dict[str, Any] = {**state, **combined, self._graph.learning_rate: np.array(rate, np.float32)}
        found = self._apply.run(self._nexts, {name: pool[name] for name in self._applied})
        updated = {**combined, **dict(zip(self._nexts, found, strict=True))}
        following = {name: np.asarray(updated.get(f"{name}.next", state[name]), np.float32) for name in state}
        return following, float(combined[self._graph.loss])

    def _take(self, name: str) -> NDArray[np.float32]:
        at, shape = self._places[name]
        return self.buffer[at : at + int(np.prod(shape, dtype=np.int64))].reshape(shape).copy()


def _open(plan: Plan, name: str, threads: int) -> Any:  # noqa: ANN401 (onnxruntime has no types)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(plan.verified(name)), options, providers=["CPUExecutionProvider"])
