"""The one error of this package: what is wrong, on which rank, and what to do."""

from __future__ import annotations


class RunnerError(Exception):
    """`rank 1: JOB/data/x.npy: expected …, found …. What to do.`"""

    def __init__(self, where: str, expected: str, found: str, hint: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}. {hint}.")


class LostWorkerError(RunnerError):
    """Another worker was killed, or cannot be reached."""

    def __init__(self, found: str) -> None:
        hint = "Start the same command again: it continues from the last checkpoint"
        super().__init__("the other workers", "an answer from each", found, hint)


class WorkersError(Exception):
    """What went wrong on some of the workers, one line for each rank; every rank raises the same."""


def of_rank(rank: int, error: Exception) -> str:
    """A line that names the rank. Errors of the system keep their own words."""
    if isinstance(error, RunnerError):
        return f"rank {rank}: {error}"
    return f"rank {rank}: {type(error).__name__}: {error}"
