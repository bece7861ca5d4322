"""What goes wrong names the rank and what to do, on every rank, and leaves the last checkpoint whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossgraft_runner import Collective, run_local, walk
from lossgraft_runner.collective import Buffer
from lossgraft_runner.errors import WorkersError


def message(job: Path, count: int = 2) -> str:
    """The error, which is the same on all ranks."""

    def work(collective: Collective) -> str:
        with pytest.raises(WorkersError) as caught:
            walk(job, collective)
        return str(caught.value)

    found = run_local(count, work)
    assert len(set(found)) == 1
    return found[0]


def change(path: Path, edit: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_shards_that_changed(job: Path) -> None:
    shard = next((job / "data").glob("0-*.npy"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x55")
    found = message(job)
    assert found.startswith("rank 0: ")
    assert "\nrank 1: " in found
    assert f"{shard}: expected SHA-256" in found
    assert "Export the job again" in found


def test_another_version_of_the_runner(job: Path) -> None:
    change(job / "plan.json", lambda plan: plan.update(runner="9.9.9"))
    found = message(job)
    assert "rank 1: " in found
    assert "one for 9.9.9" in found
    assert "pip install" in found


def test_another_format(job: Path) -> None:
    change(job / "plan.json", lambda plan: plan.update(format=2))
    assert "expected format 1" in message(job)


def test_no_job(tmp_path: Path) -> None:
    assert "a folder that lossgraft export-job wrote" in message(tmp_path / "none", 1)


def test_a_checkpoint_of_another_plan(job: Path) -> None:
    run_local(1, lambda collective: walk(job, collective))
    change(job / "plan.json", lambda plan: plan.update(arm="another"))
    assert "a checkpoint of this plan" in message(job)


def test_storage_that_is_not_shared(job: Path, another: Callable[[Path], Path]) -> None:
    folders = [job, another(job)]

    def work(collective: Collective) -> str:
        with pytest.raises(WorkersError) as caught:
            walk(folders[collective.rank], collective)
        return str(caught.value)

    found = run_local(2, work)
    assert len(set(found)) == 1
    assert found[0].startswith("rank 1: ")
    assert "rank 0: " not in found[0]
    assert "storage that all machines share" in found[0]
    assert not list(job.glob(".probe-*"))


def test_a_full_disk(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found = message(job)
    assert found.startswith("rank 0: ")
    assert "No space left on device" in found
    assert "Free space" in found
    assert not list((job / "progress").iterdir())


def test_nan_on_one_rank(job: Path) -> None:
    # The last row of the first epoch's third batch is rank 1's.
    order = np.load(job / "epochs" / "0001-order.npy")
    index = job / "data" / "shards.json"
    shard = next((job / "data").glob("0-*.npy"))
    images = np.load(shard)
    images[order[3 * 37 - 1]] = np.nan
    np.save(shard, images)

    def rehash(found: Any) -> None:  # noqa: ANN401
        found["columns"][0]["shards"][0]["sha256"] = sha256(shard)

    change(index, rehash)
    change(job / "plan.json", lambda plan: plan["files"].update({"data/shards.json": sha256(index)}))
    found = message(job)
    assert found.startswith("rank 1: ")
    assert "rank 0: " not in found
    assert "NaN or infinity" in found
    assert "(epoch 1, step 3)" in found
    assert "--learning-rate" in found
    checkpoint = json.loads((job / "progress" / "checkpoint.json").read_text())
    assert (checkpoint["epoch"], checkpoint["step"]) == (0, 2)


class Wrong:
    """A worker whose sums are not those of the others."""

    def __init__(self, own: Collective) -> None:
        self._own = own
        self.rank, self.size = own.rank, own.size

    def all_reduce(self, buffer: Buffer) -> None:
        self._own.all_reduce(buffer)
        if self.rank == 2:
            buffer[3] += np.float32(1e-3)

    def gather(self, text: str) -> list[str]:
        return self._own.gather(text)


def test_states_that_differ(job: Path) -> None:
    def work(collective: Collective) -> str:
        with pytest.raises(WorkersError) as caught:
            walk(job, Wrong(collective))
        return str(caught.value)

    found = run_local(3, work)
    assert len(set(found)) == 1
    assert found[0].startswith("rank 2: expected the state of rank 0")
    assert not (job / "progress").exists() or not list((job / "progress").iterdir())


def test_a_damaged_plan(job: Path) -> None:
    shutil.copy(job / "README.md", job / "plan.json")
    assert "expected JSON" in message(job)
