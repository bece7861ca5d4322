"""Any number of workers ends with the numbers of one process, also after a stop or a killed worker."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import Exported, lossgraft

from lossgraft_runner import Collective, Outcome, Single, run_local, walk
from lossgraft_runner.collective import Buffer
from lossgraft_runner.state import State, digest_of
from lossgraft_runner.walk import Options

BOUND = 1e-6
"""Of a parameter, relative to its largest entry."""


def worst_error(found: State, expected: State) -> float:
    assert found.keys() == expected.keys()
    parameters = [name for name in expected if not name.endswith((".momentum", ".accumulated"))]
    assert len(parameters) > 4
    errors = [np.abs(found[name] - expected[name]).max() / np.abs(expected[name]).max() for name in parameters]
    return float(max(errors))


def trained(job: Path, count: int, options: Options | None = None) -> Outcome:
    outcomes = run_local(count, lambda collective: walk(job, collective, options))
    assert len({digest_of(outcome.state) for outcome in outcomes}) == 1
    return outcomes[0]


@pytest.fixture(scope="module")
def one(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    import shutil

    job = Path(shutil.copytree(exported.job, tmp_path_factory.mktemp("one") / "job"))
    return job, walk(job, Single()).state


def test_one_worker_trains_the_model_that_node_trains(
    exported: Exported, one: tuple[Path, State], tmp_path: Path
) -> None:
    job, _ = one
    tuned = tmp_path / "tuned.onnx"
    lossgraft("collect", str(job), "-o", str(tuned), "--write-anyway")
    assert tuned.read_bytes() == exported.tuned.read_bytes()
    assert len((job / "run" / "metrics.jsonl").read_text().splitlines()) == 4
    assert (job / "run" / "report.html").is_file()
    assert list((job / "run" / "tensorboard").rglob("events.*"))


@pytest.mark.parametrize("count", [2, 3, 7, 64])
def test_any_number_of_workers_ends_with_the_same_numbers(one: tuple[Path, State], job: Path, count: int) -> None:
    _, expected = one
    assert worst_error(trained(job, count).state, expected) < BOUND


class Counted:
    """Calls something before a given all-reduce."""

    def __init__(self, own: Collective, at: int, event: threading.Event | None) -> None:
        self._own, self._at, self._event = own, at, event
        self.rank, self.size = own.rank, own.size

    def all_reduce(self, buffer: Buffer) -> None:
        self._at -= 1
        if self._at == 0 and self._event is None and self.rank == 1:
            raise KeyboardInterrupt("killed")
        if self._at == 0 and self._event is not None:
            self._event.set()
        self._own.all_reduce(buffer)

    def gather(self, text: str) -> list[str]:
        return self._own.gather(text)


def test_a_stopped_training_goes_on_with_another_number_of_workers(one: tuple[Path, State], job: Path) -> None:
    stop = threading.Event()
    options = Options(stop=stop)
    outcomes = run_local(2, lambda collective: walk(job, Counted(collective, 12, stop), options))
    assert {outcome.ended for outcome in outcomes} == {"stopped"}
    # The step whose all-reduce carried the flag is not taken.
    assert (outcomes[0].checkpoint.epoch, outcomes[0].checkpoint.step) in {(1, 2), (1, 3)}
    assert worst_error(trained(job, 3).state, one[1]) < BOUND


def test_a_killed_worker_costs_the_steps_since_the_checkpoint(one: tuple[Path, State], job: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_local(2, lambda collective: walk(job, Counted(collective, 14, None)))
    assert [path.name for path in (job / "progress").glob("state-*")] == ["state-0001-0000000.safetensors"]
    assert worst_error(trained(job, 2).state, one[1]) < BOUND


def test_checkpoints_within_an_epoch_replace_each_other(job: Path) -> None:
    assert trained(job, 2, Options(save_seconds=0)).ended == "done"
    names = sorted(path.name for path in (job / "progress").iterdir())
    states = [f"state-{epoch:04d}-0000000.safetensors" for epoch in (1, 2, 3)]
    assert names == ["checkpoint.json", *states]
