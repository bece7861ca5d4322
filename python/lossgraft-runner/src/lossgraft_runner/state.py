"""The state of a training: parameters, slots and statistics by name, float32; its digest, and its files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from .errors import RunnerError
from .plan import AGAIN

State = dict[str, NDArray[np.float32]]


def read_state(path: Path) -> State:
    """Raises RunnerError if the file is missing or damaged."""
    try:
        found = load_file(path)
    except Exception as error:
        raise RunnerError(str(path), "a safetensors file", f"{type(error).__name__}: {error}", AGAIN) from error
    return {name: np.asarray(tensor, np.float32) for name, tensor in found.items()}


def digest_of(state: State) -> str:
    """Equal on two workers if and only if they have the same numbers, bit for bit."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name]).tobytes())
    return digest.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file completely or not at all. Raises RunnerError on a full disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        hint = "Free space there; the same command then continues from the last checkpoint"
        raise RunnerError(str(path), "to write a checkpoint", str(error), hint) from error


def write_state(path: Path, state: State) -> None:
    write_whole(path, save({name: np.ascontiguousarray(tensor) for name, tensor in state.items()}))


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
