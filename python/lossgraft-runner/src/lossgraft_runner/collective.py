"""How workers add up one buffer, and compare short texts. Nothing else is ever exchanged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Buffer = NDArray[np.float32]
T = TypeVar("T")


class Collective(Protocol):
    """The workers of a training. All of them call the same methods in the same order."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def all_reduce(self, buffer: Buffer) -> None:
        """Replaces the buffer by the sum over all workers: the same bytes on each."""

    def gather(self, text: str) -> list[str]:
        """The text of each worker, by rank."""


class Single:
    """One worker."""

    rank = 0
    size = 1

    def all_reduce(self, buffer: Buffer) -> None:
        """The sum over one worker is its own buffer."""

    def gather(self, text: str) -> list[str]:
        return [text]


class _Meeting:
    """What simulated workers share."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)
        self.buffers: list[Buffer] = [np.zeros(0, np.float32)] * size
        self.texts = [""] * size


class LocalCollective:
    """One of several simulated workers: threads of this process. Sums are taken in the order of ranks."""

    def __init__(self, meeting: _Meeting, rank: int) -> None:
        self._meeting = meeting
        self.rank = rank
        self.size = meeting.size

    def all_reduce(self, buffer: Buffer) -> None:
        meeting = self._meeting
        meeting.buffers[self.rank] = buffer
        meeting.barrier.wait()
        total = meeting.buffers[0].copy()
        for other in meeting.buffers[1:]:
            total += other
        meeting.barrier.wait()
        buffer[:] = total

    def gather(self, text: str) -> list[str]:
        meeting = self._meeting
        meeting.texts[self.rank] = text
        meeting.barrier.wait()
        texts = list(meeting.texts)
        meeting.barrier.wait()
        return texts

    def leave(self) -> None:
        """Frees the others, who would wait for a worker that failed."""
        self._meeting.barrier.abort()


def run_local(size: int, work: Callable[[Collective], T]) -> list[T]:
    """
    Does the work on `size` simulated workers; gives the result of each.

    Raises the first error that is not a consequence of another.
    """
    meeting = _Meeting(size)
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def worker(rank: int) -> None:
        own = LocalCollective(meeting, rank)
        try:
            results[rank] = work(own)
        except BaseException as error:
            errors[rank] = error
            own.leave()

    threads = [threading.Thread(target=worker, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    causes = [error for error in errors.values() if not isinstance(error, threading.BrokenBarrierError)]
    for error in [*causes, *errors.values()]:
        raise error
    return [results[rank] for rank in range(size)]
