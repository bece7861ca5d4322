"""Walks a job's plan from its last checkpoint to its end."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from .collective import Collective
from .data import Data
from .errors import WorkersError, of_rank
from .plan import Plan, read_plan
from .progress import Checkpoint, DoneEpoch, Progress, probe_of, read_probe, state_file, write_probe
from .state import State, digest_of
from .step import Step, part_of

T = TypeVar("T")

SAVE_SECONDS = 600.0
"""Between two checkpoints within an epoch. Each epoch ends with one."""


@dataclass(frozen=True)
class Outcome:
    """How a walk ended: `done`, or `stopped` with a checkpoint to continue from."""

    ended: str
    checkpoint: Checkpoint
    state: State


@dataclass(frozen=True)
class Options:
    threads: int = 1
    save_seconds: float = SAVE_SECONDS
    stop: threading.Event | None = None
    """Set by a signal: the walk ends after the step that is under way."""
    tell: Callable[[str], None] = lambda _: None


def walk(job: Path, collective: Collective, options: Options | None = None) -> Outcome:
    """
    Takes the steps that are left.

    Raises WorkersError on every rank if something is wrong on any: it names the rank, and what to do.
    """
    how = options or Options()
    walker = _agreed(collective, lambda: _Walker(job, collective, how))
    token = collective.gather(uuid.uuid4().hex)[0]
    is_writer = collective.rank == 0
    _agreed(collective, lambda: write_probe(job, token) if is_writer else None)
    try:
        _agreed(collective, lambda: read_probe(job, token))
    finally:
        if is_writer:
            probe_of(job, token).unlink(missing_ok=True)
    return walker.run()


def _agreed(collective: Collective, make: Callable[[], T]) -> T:
    """Does something on every worker, without a word to the others, and raises the errors of all on each of them."""
    made: list[T] = []
    problem = ""
    try:
        made.append(make())
    except Exception as error:
        problem = of_rank(collective.rank, error)
    _raise_problems(collective, problem)
    return made[0]


def _raise_problems(collective: Collective, problem: str) -> None:
    problems = [text for text in collective.gather(problem) if text]
    if problems:
        raise WorkersError("\n".join(problems))


class _Walker:
    def __init__(self, job: Path, collective: Collective, options: Options) -> None:
        self._plan: Plan = read_plan(job)
        self._collective = collective
        self._options = options
        self._progress = Progress(self._plan)
        self._at, self._state = self._progress.read()
        self._data: Data | None = None
        self._steps: dict[str, Step] = {}

    def run(self) -> Outcome:
        plan, at = self._plan, self._at
        ranks = self._collective.gather(f"{at.epoch} {at.step} {digest_of(self._state)}")
        self._refuse_differing(ranks)
        for epoch in range(at.epoch, len(plan.epochs)):
            if not self._epoch(epoch):
                return Outcome("stopped", self._at, self._state)
        return Outcome("done", self._at, self._state)

    def _epoch(self, index: int) -> bool:
        """Gives False if it was stopped."""
        plan, epoch = self._plan, self._plan.epochs[index]
        graph = plan.graphs[epoch.graph]
        step, data = _agreed(
            self._collective, lambda: (self._open(epoch.graph), self._data or Data(plan, graph.labels))
        )
        self._data = data
        arrays = _agreed(
            self._collective,
            lambda: [
                np.load(plan.verified(name)) for name in (epoch.order, epoch.rates, epoch.draws) if name is not None
            ],
        )
        order, rates, draws = arrays[0], arrays[1], arrays[2] if epoch.draws is not None else None
        began = saved = time.monotonic()
        before = self._at.seconds
        for number in range(self._at.step, plan.steps):
            start, end = plan.batch(number)
            first, last = part_of(end - start, self._collective.rank, self._collective.size)
            problem = ""
            try:
                rows = slice(start + first, start + last)
                feeds = data.feeds(order[rows], None if draws is None else draws[rows]) if last > first else {}
                step.gradients(self._state, feeds, (first, last, end - start), self._is_first(end - start))
            except Exception as error:
                problem = f"{of_rank(self._collective.rank, error)} (epoch {index + 1}, step {number + 1})"
            stops = self._options.stop is not None and self._options.stop.is_set()
            is_late = self._collective.rank == 0 and time.monotonic() - saved > self._options.save_seconds
            problems, is_due = step.exchange(self._collective, has_problem=bool(problem) or stops, is_due=is_late)
            if problems > 0:
                self._save(self._at)
                _raise_problems(self._collective, problem)
                return False
            self._state, loss = step.apply(self._state, float(rates[number]))
            self._at = replace(
                self._at,
                step=number + 1,
                lossSum=self._at.lossSum + loss * (end - start),
                lossCount=self._at.lossCount + end - start,
                seconds=before + time.monotonic() - began,
            )
            if is_due:
                self._save(self._at)
                saved = time.monotonic()
        self._end(index)
        return True

    def _end(self, index: int) -> None:
        at = self._at
        done = DoneEpoch(state_file(index + 1, 0), at.lossSum, at.lossCount, at.seconds)
        self._save(Checkpoint(epoch=index + 1, epochs=(*at.epochs, done)))
        if self._collective.rank == 0:
            loss = at.lossSum / max(1, at.lossCount)
            self._options.tell(f"epoch {index + 1}/{len(self._plan.epochs)}: loss {loss:.6g}, {at.seconds:.1f} s")

    def _save(self, checkpoint: Checkpoint) -> None:
        """Compares the ranks' states, then rank 0 writes; a failure of it is raised on every rank."""
        self._refuse_differing(self._collective.gather(digest_of(self._state)))
        is_writer = self._collective.rank == 0
        _agreed(self._collective, lambda: self._progress.write(checkpoint, self._state) if is_writer else None)
        self._at = checkpoint

    def _open(self, name: str) -> Step:
        if name not in self._steps:
            # One phase follows another: the sessions of the one before are not needed again.
            self._steps = {name: Step(self._plan, self._plan.graphs[name], self._state, self._options.threads)}
        return self._steps[name]

    def _is_first(self, size: int) -> bool:
        """Whether this is the first rank that has rows."""
        ranks = range(self._collective.size)
        having = [rank for rank in ranks if len(range(*part_of(size, rank, self._collective.size))) > 0]
        return having[0] == self._collective.rank

    def _refuse_differing(self, found: list[str]) -> None:
        others = [rank for rank, own in enumerate(found) if own != found[0]]
        if not others:
            return
        raise WorkersError(
            f"rank {others[0]}: expected the state of rank 0, found another on {len(others)} of {len(found)} ranks. "
            "Their machines compute differently, or read different checkpoints: use the same processors and versions "
            "of onnxruntime on all, and one shared folder; then run the same command again, which continues from the "
            "last checkpoint."
        )
