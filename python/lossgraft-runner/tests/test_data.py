"""Rows as the model reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from lossgraft_runner.data import Column, augment
from lossgraft_runner.plan import Augmentation


def saved(folder: Path, name: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    np.save(folder / name, array)
    return {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(), "rows": len(array)}


def test_rows_of_several_shards_in_any_order_repeats_too(tmp_path: Path) -> None:
    numbers = np.arange(21, dtype=np.float32).reshape(7, 3)
    shards = [saved(tmp_path, f"{start}.npy", numbers[start : start + 3]) for start in (0, 3, 6)]
    about = {"name": "x", "role": "input", "shape": [3], "stored": "as-is", "shards": shards}
    rows = np.array([6, 0, 3, 3, 5, 2], np.uint32)
    assert np.array_equal(Column(tmp_path, about, 3).rows(rows), numbers[rows])


def test_bytes_become_the_numbers_of_their_channel(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 3, 2, 5), np.uint8)
    scale = np.random.default_rng(2).normal(size=(3, 256)).astype(np.float32)
    shards = [saved(tmp_path, "images.npy", images)]
    about = {"name": "x", "role": "input", "shape": [3, 2, 5], "stored": "scaled-bytes", "shards": shards}
    column = Column(tmp_path, {**about, "scale": saved(tmp_path, "scale.npy", scale)}, 4)
    found = column.rows(np.array([2, 1], np.uint32))
    assert found.dtype == np.float32
    for place, row in enumerate((2, 1)):
        for channel in range(3):
            assert np.array_equal(found[place, channel], scale[channel, images[row, channel]])


def test_a_crop_shows_black_where_the_padding_is() -> None:
    images = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    how = Augmentation("x", 1, (-1.0,))
    # The corner of the padded image, then the middle mirrored.
    found = [augment(images, np.array([draw], np.uint16), how)[0, 0] for draw in ([0, 0, 0], [1, 1, 1], [2, 1, 0])]
    assert found[0].tolist() == [[-1, -1, -1], [-1, 1, 2], [-1, 4, 5]]
    assert found[1].tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert found[2].tolist() == [[4, 5, 6], [7, 8, 9], [-1, -1, -1]]
