"""Statlog's Shuttle as train.csv and test.csv, from Shuttle.rda of Debian's r-cran-mlbench (needs `rdata`).

    python bench/longtail/shuttle_csv.py /usr/lib/R/site-library/mlbench/data/Shuttle.rda OUT

A fifth of every class is for the test, drawn by seed 0. Columns are scaled to mean 0 and deviation 1 of the training rows, and cut
at ±5: some have outliers a thousand times as large as the rest.
"""
import sys
import warnings
from pathlib import Path

import numpy as np
import rdata

warnings.filterwarnings("ignore")
CLASSES = ["Rad.Flow", "Fpv.Close", "Fpv.Open", "High", "Bypass", "Bpv.Close", "Bpv.Open"]


def main(source: str, out: str, share: float, seed: int) -> None:
    table = rdata.read_rda(source)["Shuttle"]
    x = table.iloc[:, :-1].to_numpy(np.float64)
    y = np.array([CLASSES.index(name) for name in table["Class"]])
    draw = np.random.default_rng(seed)
    held = np.zeros(len(y), bool)
    for k in range(len(CLASSES)):
        rows = draw.permutation(np.flatnonzero(y == k))
        held[rows[: round(share * len(rows))]] = True
    mean, std = x[~held].mean(0), x[~held].std(0)
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", ~held), ("test", held)):
        head = ",".join([*(f"V{i + 1}" for i in range(x.shape[1])), "Class"])
        body = np.column_stack([np.clip((x[rows] - mean) / std, -5, 5), y[rows]])
        np.savetxt(Path(out) / f"{name}.csv", body, fmt=["%.9g"] * x.shape[1] + ["%d"], delimiter=",", header=head, comments="")
        print(name, np.bincount(y[rows], minlength=len(CLASSES)).tolist())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], 0.2, 0)
