"""Checkpoints of a job, in its folder `progress`: checkpoint.json and the states that it names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import RunnerError
from .plan import RUNNER, Plan
from .state import State, read_state, write_json, write_state


@dataclass(frozen=True)
class DoneEpoch:
    """A finished epoch: its state is what `lossgraft collect` judges."""

    file: str
    lossSum: float
    lossCount: int
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """What comes next, and the state before it."""

    epoch: int = 0
    step: int = 0
    lossSum: float = 0.0
    lossCount: int = 0
    seconds: float = 0.0
    epochs: tuple[DoneEpoch, ...] = field(default=())


class Progress:
    """Written by rank 0 alone, each file whole or not at all; read by all."""

    def __init__(self, plan: Plan) -> None:
        self.folder = plan.path("progress")
        self._plan = plan

    def read(self) -> tuple[Checkpoint, State]:
        """The last checkpoint and its state, or the start."""
        path = self.folder / "checkpoint.json"
        if not path.is_file():
            return Checkpoint(), read_state(self._plan.verified(self._plan.state))
        found = json.loads(path.read_text("utf-8"))
        if found.pop("plan") != self._plan.sha256:
            hint = "Remove the folder progress to train the new plan from its start"
            raise RunnerError(str(path), "a checkpoint of this plan", "one of another", hint)
        found.pop("runner")
        file = found.pop("file")
        epochs = tuple(DoneEpoch(**epoch) for epoch in found.pop("epochs"))
        return Checkpoint(**found, epochs=epochs), read_state(self.folder / file)

    def write(self, checkpoint: Checkpoint, state: State) -> None:
        """Writes the state, then the checkpoint that names it, then removes states that it does not name."""
        self.folder.mkdir(exist_ok=True)
        file = state_file(checkpoint.epoch, checkpoint.step)
        write_state(self.folder / file, state)
        content = {"plan": self._plan.sha256, "runner": RUNNER, **asdict(checkpoint), "file": file}
        write_json(self.folder / "checkpoint.json", content)
        named = {file, *(epoch.file for epoch in checkpoint.epochs)}
        for other in self.folder.glob("state-*.safetensors"):
            if other.name not in named:
                other.unlink(missing_ok=True)


def state_file(epoch: int, step: int) -> str:
    """The state before that step."""
    return f"state-{epoch:04d}-{step:07d}.safetensors"


def probe_of(folder: Path, token: str) -> Path:
    return folder / f".probe-{token}"


def write_probe(folder: Path, token: str) -> None:
    """What every rank must see. Raises RunnerError if the folder cannot be written."""
    try:
        probe_of(folder, token).write_text(token)
    except OSError as error:
        hint = "Give the user that trains write access, and free space on the disk"
        raise RunnerError(str(folder), "a folder to write checkpoints into", str(error), hint) from error


def read_probe(folder: Path, token: str) -> None:
    """Raises RunnerError on a rank that does not see what rank 0 wrote."""
    probe = probe_of(folder, token)
    if probe.is_file() and probe.read_text() == token:
        return
    raise RunnerError(
        str(folder),
        "the folder that rank 0 writes into",
        "another one with the same path",
        "Put the job on storage that all machines share, such as NFS, and name that path",
    )
