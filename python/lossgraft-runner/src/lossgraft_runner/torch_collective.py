"""torch.distributed as the collective, for torchrun. Imported only where it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from .collective import Buffer
from .errors import LostWorkerError


class TorchCollective:
    """The workers of an initialised process group (gloo)."""

    def __init__(self) -> None:
        self.rank = int(dist.get_rank())
        self.size = int(dist.get_world_size())

    def all_reduce(self, buffer: Buffer) -> None:
        with _others():
            dist.all_reduce(torch.from_numpy(buffer))

    def gather(self, text: str) -> list[str]:
        found: list[str | None] = [None] * self.size
        with _others():
            dist.all_gather_object(found, text)
        return [str(each) for each in found]


@contextmanager
def _others() -> Iterator[None]:
    """gloo raises RuntimeError where another worker is gone."""
    try:
        yield
    except RuntimeError as error:
        raise LostWorkerError(str(error).splitlines()[0]) from error
