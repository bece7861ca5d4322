"""Rows of a shards folder: shards.json and .npy files, each compared with its hash before its first row is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RunnerError
from .plan import AGAIN, Augmentation, Plan, check_hash

Array = NDArray[Any]


class Column:
    """One input of the model, or the labels."""

    def __init__(self, folder: Path, found: dict[str, Any], rows_per_shard: int) -> None:
        self.name: str | None = found["name"]
        self.role: str = found["role"]
        self._folder = folder
        self._rows_per_shard = rows_per_shard
        self._shards: list[dict[str, Any]] = found["shards"]
        self._open: dict[int, Array] = {}
        self._shape = tuple(found["shape"])
        stored = found["stored"]
        if stored not in ("as-is", "scaled-bytes"):
            raise RunnerError(str(folder), "numbers", f"a column stored as {stored}", AGAIN)
        self._scale = None if stored == "as-is" else self._load(found["scale"])

    def rows(self, rows: NDArray[np.uint32]) -> Array:
        """The rows in this order, as the model reads them."""
        shards = rows // self._rows_per_shard
        first = self._shard(int(shards[0]) if len(rows) > 0 else 0)
        out = np.empty((len(rows), *self._shape), first.dtype)
        for shard in np.unique(shards):
            places = np.flatnonzero(shards == shard)
            out[places] = self._shard(int(shard))[rows[places] - shard * self._rows_per_shard]
        return out if self._scale is None else scale_bytes(out, self._scale)

    def _shard(self, index: int) -> Array:
        if index not in self._open:
            self._open[index] = self._load(self._shards[index])
        return self._open[index]

    def _load(self, file: dict[str, Any]) -> Array:
        path = self._folder / file["file"]
        check_hash(path, file["sha256"])
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


def scale_bytes(rows: Array, scale: Array) -> Array:
    """The number for each byte, by the index of a row's first axis: `scale` is float32 [C, 256]."""
    channels = [scale[channel][rows[:, channel]] for channel in range(rows.shape[1])]
    return np.stack(channels, axis=1)


class Data:
    """The training rows of a job."""

    def __init__(self, plan: Plan, labels: str) -> None:
        folder = plan.path(plan.data)
        index = json.loads(plan.verified(f"{plan.data}/shards.json").read_text("utf-8"))
        if index["rows"] < 1:
            raise RunnerError(str(folder), "rows", "none", AGAIN)
        self._columns = [Column(folder, found, index["rowsPerShard"]) for found in index["columns"]]
        self._labels = labels
        self._augmentation = plan.augmentation

    def feeds(self, rows: NDArray[np.uint32], draws: NDArray[np.uint16] | None) -> dict[str, Array]:
        """What the model reads of these rows; with draws, images are cropped and flipped by them."""
        feeds = {
            self._labels if column.role == "labels" else str(column.name): column.rows(rows) for column in self._columns
        }
        if self._augmentation is not None and draws is not None:
            name = self._augmentation.input
            feeds[name] = augment(feeds[name], draws, self._augmentation)
        return feeds


def augment(images: Array, draws: NDArray[np.uint16], how: Augmentation) -> Array:
    """Crops each padded image at its draw's corner (top, left) and mirrors it where flipped: [N, C, H, W]."""
    _, channels, height, width = images.shape
    black = np.array(how.black or [0.0] * channels, np.float32).reshape(channels, 1, 1)
    out = np.broadcast_to(black, images.shape).astype(np.float32)
    for n, (top, left, flipped) in enumerate(draws.astype(np.int64)):
        ys = np.arange(height) + top - how.padding
        xs = np.arange(width)[:: -1 if flipped else 1] + left - how.padding
        inside_y, inside_x = (ys >= 0) & (ys < height), (xs >= 0) & (xs < width)
        for c in range(channels):
            out[n, c][np.ix_(inside_y, inside_x)] = images[n, c][np.ix_(ys[inside_y], xs[inside_x])]
    return out
