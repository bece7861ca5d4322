"""Writes arrays as NumPy writes them, and what they hold as JSON: `python3 test/data/numpy/generate.py`."""

import json
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

HERE = Path(__file__).parent
DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U3"]


def values(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Small values of both signs, exact in every dtype."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    if dtype == "U3":
        return np.array(["", "a", "äöü", "日本", "😀x", "zz"])[numbers % 6]
    if dtype == "?":
        return numbers % 3 == 0
    return (numbers - (0 if dtype[0] == "u" else 5)).astype(dtype)


def described(array: np.ndarray) -> dict:
    native = array.astype(array.dtype.newbyteorder("="))
    flat = native.view(np.uint16) if native.dtype == np.float16 else native
    items = [str(int(x)) if flat.dtype.kind in "iu" else x for x in flat.ravel(order="C").tolist()]
    return {"dtype": str(native.dtype), "dims": list(array.shape), "values": items}


def main() -> None:
    expected = {}
    for dtype in DTYPES:
        for order in "<>" if dtype not in ("i1", "u1", "?") else "<":
            for layout in "CF":
                name = f"{dtype.replace('?', 'bool')}-{'little' if order == '<' else 'big'}-{layout}"
                typed = np.dtype(dtype).newbyteorder(order)
                array = np.asarray(values(dtype, (4, 3, 2)).astype(typed), order=layout)
                np.save(HERE / f"{name}.npy", array)
                expected[name] = described(array)
    for version in [(1, 0), (2, 0), (3, 0)]:
        name, array = f"version{version[0]}", values("f4", (3,))
        with open(HERE / f"{name}.npy", "wb") as file:
            npy.write_array(file, array, version=version)
        expected[name] = described(array)
    for name, array in {"scalar": np.float32(2.5), "empty": np.zeros((0, 7), "f8"), "vector": values("i8", (5,))}.items():
        np.save(HERE / f"{name}.npy", array)
        expected[name] = described(np.asarray(array))
    arrays = {"images": values("f4", (6, 2, 2)), "labels": values("u1", (6,))}
    np.savez(HERE / "stored.npz", **arrays)
    np.savez_compressed(HERE / "deflated.npz", **arrays)
    for key, array in arrays.items():
        expected[f"npz/{key}"] = described(array)
    np.save(HERE / "refused-pickle.npy", np.array([{"a": 1}, None], dtype=object))
    np.save(HERE / "refused-record.npy", np.zeros(3, dtype=[("x", "f4"), ("y", "i8")]))
    np.save(HERE / "refused-complex.npy", np.zeros(3, dtype="c8"))
    np.save(HERE / "refused-date.npy", np.zeros(3, dtype="M8[s]"))
    np.save(HERE / "refused-bytes.npy", np.array([b"ab", b"c"]))
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


main()
