"""The plan in a job's folder: what `lossgraft export-job` wrote, checked before the first step."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import RunnerError

FORMAT = 1
"""Of plan.json. Raised when an older runner would misread it."""

RUNNER = "0.1.0"
"""This package's version: a job names the one that its numbers were proved with."""

AGAIN = "Export the job again with lossgraft export-job, into a new folder"


@dataclass(frozen=True)
class Output:
    """An output of gradients.onnx, and how workers combine it."""

    name: str
    combine: Literal["weighted-mean", "sum", "same"]


@dataclass(frozen=True)
class Graph:
    """The two graphs of a phase. Paths are relative to the job."""

    gradients: str
    apply: str
    outputs: tuple[Output, ...]
    row_offset: str | None
    loss: str
    labels: str
    learning_rate: str


@dataclass(frozen=True)
class Epoch:
    graph: str
    order: str
    rates: str
    draws: str | None


@dataclass(frozen=True)
class Augmentation:
    """Random crops and flips of one input of images; the draws are in the plan."""

    input: str
    padding: int
    black: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    job: Path
    sha256: str
    graphs: dict[str, Graph]
    epochs: tuple[Epoch, ...]
    samples: int
    batch_size: int
    steps: int
    state: str
    data: str
    augmentation: Augmentation | None
    files: dict[str, str]

    def path(self, name: str) -> Path:
        return self.job / name

    def verified(self, name: str) -> Path:
        """The path of a file of the job, whose bytes are those that were exported."""
        path = self.path(name)
        check_hash(path, self.files[name])
        return path

    def batch(self, step: int) -> tuple[int, int]:
        """The first sample of a step in its epoch's order, and the one after its last."""
        start = step * self.batch_size
        return start, min(start + self.batch_size, self.samples)


def check_hash(path: Path, expected: str) -> None:
    """Raises RunnerError if the file is missing or has other bytes."""
    if not path.is_file():
        raise RunnerError(str(path), "the file that was exported", "none", AGAIN)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    if digest.hexdigest() != expected:
        raise RunnerError(str(path), f"SHA-256 {expected[:12]}…, as exported", f"{digest.hexdigest()[:12]}…", AGAIN)


def read_plan(job: Path) -> Plan:
    """Reads plan.json. Raises RunnerError if it is missing, damaged, or made for another version of this package."""
    path = job / "plan.json"
    try:
        content = path.read_bytes()
        found: Any = json.loads(content)
    except OSError as error:
        raise RunnerError(
            str(path), "a folder that lossgraft export-job wrote, seen by every worker", str(error), "Name that folder"
        ) from error
    except ValueError as error:
        raise RunnerError(str(path), "JSON", str(error), AGAIN) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        version = found.get("format") if isinstance(found, dict) else None
        hint = "Install the runner that is in the job: pip install JOB/runner"
        raise RunnerError(str(path), f"format {FORMAT}, which lossgraft-runner {RUNNER} reads", str(version), hint)
    if found.get("runner") != RUNNER:
        hint = "Install the runner that is in the job: pip install JOB/runner, or export the job again"
        raise RunnerError(
            str(path), f"a job for lossgraft-runner {RUNNER}, which runs here", f"one for {found.get('runner')}", hint
        )
    try:
        return _plan_of(job, hashlib.sha256(content).hexdigest(), found)
    except (KeyError, TypeError, ValueError) as error:
        raise RunnerError(str(path), "a whole plan", f"{type(error).__name__}: {error}", AGAIN) from error


def _plan_of(job: Path, sha256: str, found: dict[str, Any]) -> Plan:
    moved = found["augmentation"]
    return Plan(
        job=job,
        sha256=sha256,
        graphs={name: _graph_of(graph) for name, graph in found["graphs"].items()},
        epochs=tuple(Epoch(**epoch) for epoch in found["epochs"]),
        samples=found["samples"],
        batch_size=found["batchSize"],
        steps=found["steps"],
        state=found["state"],
        data=found["data"],
        augmentation=None if moved is None else Augmentation(moved["input"], moved["padding"], tuple(moved["black"])),
        files=found["files"],
    )


def _graph_of(found: dict[str, Any]) -> Graph:
    return Graph(
        gradients=found["gradients"],
        apply=found["apply"],
        outputs=tuple(Output(output["name"], output["combine"]) for output in found["outputs"]),
        row_offset=found["rowOffset"],
        loss=found["loss"],
        labels=found["labels"],
        learning_rate=found["learningRate"],
    )
