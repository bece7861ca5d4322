"""The twelve tasks of bench/outcomes: data, networks, and a start trained on the skewed data by plain cross-entropy.

Public data that Debian and PyPI ship, or that a published recipe generates:

    digits, cancer, wine      scikit-learn
    table-98, table-99        make_classification: 98/1.5/0.5 % in three classes, 99/1 % in two
    fashion                   Debian's dataset-fashion-mnist
    letter, shuttle, satellite  Debian's r-cran-mlbench (needs `rdata`)
    fortunes                  Debian's fortunes: which collection a text is from
    control                   synthetic control charts (Alcock & Manolopoulos, 1999)
    cifar                     CIFAR-10 as folders of images, train/CLASS/*, test/CLASS/*
"""
import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass
class Task:
    train: Arrays
    test: Arrays
    net: nn.Module
    classes: int


def cut(y: np.ndarray, ratio: float, seed: int) -> np.ndarray:
    """Rows of a long tail: class k of C keeps n · ratio^(−k/(C−1)) samples, n those of the smallest class. At least two."""
    classes = int(y.max()) + 1
    most = np.bincount(y).min()
    draw = np.random.default_rng(seed)
    kept = [draw.permutation(np.flatnonzero(y == k))[: max(2, round(most * ratio ** (-k / (classes - 1))))] for k in range(classes)]
    return np.sort(np.concatenate(kept))


def split(x: np.ndarray, y: np.ndarray, share: float, seed: int) -> tuple[Arrays, Arrays]:
    """Class by class: the share of the test rows."""
    draw = np.random.default_rng(seed)
    held = np.zeros(len(y), bool)
    for k in np.unique(y):
        rows = draw.permutation(np.flatnonzero(y == k))
        held[rows[: max(1, round(share * len(rows)))]] = True
    return (x[~held], y[~held]), (x[held], y[held])


def scaled(train: Arrays, test: Arrays) -> tuple[Arrays, Arrays]:
    mean, std = train[0].mean(0), train[0].std(0) + 1e-9
    return tuple((np.clip((x - mean) / std, -5, 5).astype(np.float32), y) for x, y in (train, test))


def mlp(inputs: int, classes: int, width: int = 64) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, classes))


def numbers(x: np.ndarray, y: np.ndarray, seed: int, ratio: float | None = None, share: float = 0.3, outputs: int | None = None) -> Task:
    """A table of numbers and an MLP. A ratio cuts a long tail from the training rows alone."""
    train, test = scaled(*split(x.astype(np.float64), y.astype(np.int64), share, seed))
    if ratio is not None:
        rows = cut(train[1], ratio, seed)
        train = train[0][rows], train[1][rows]
    classes = int(y.max()) + 1
    return Task(train, test, mlp(x.shape[1], outputs or classes), classes)


def mlbench(name: str, label: str, where: Path) -> Arrays:
    import rdata
    table = rdata.read_rda(where / f"{name}.rda")[name]
    y = table[label].astype("category").cat.codes.to_numpy()
    return table.drop(columns=[label]).apply(lambda column: column.astype(float)).to_numpy(np.float64), y


def digits(seed: int, _: Path) -> Task:
    from sklearn.datasets import load_digits
    return numbers(*load_digits(return_X_y=True), seed, ratio=50)


def wine(seed: int, _: Path) -> Task:
    from sklearn.datasets import load_wine
    return numbers(*load_wine(return_X_y=True), seed, ratio=8, share=0.4)


def cancer(seed: int, _: Path) -> Task:
    """One sigmoid: malignant is class 1, cut to a fifteenth."""
    from sklearn.datasets import load_breast_cancer
    x, y = load_breast_cancer(return_X_y=True)
    return numbers(x, 1 - y, seed, ratio=15, share=0.4, outputs=1)


def table(weights: list[float], rows: int, seed: int) -> Task:
    from sklearn.datasets import make_classification
    x, y = make_classification(
        rows, 20, n_informative=8, n_redundant=4, n_classes=len(weights), n_clusters_per_class=2, weights=weights, class_sep=1.2,
        flip_y=0.002, random_state=100 + seed,
    )
    return numbers(x, y, seed, share=0.5)


def table_98(seed: int, _: Path) -> Task:
    return table([0.98, 0.015, 0.005], 24_000, seed)


def table_99(seed: int, _: Path) -> Task:
    return table([0.99, 0.01], 24_000, seed)


def letter(seed: int, where: Path) -> Task:
    return numbers(*mlbench("LetterRecognition", "lettr", where / "mlbench"), seed, ratio=50)


def shuttle(seed: int, where: Path) -> Task:
    return numbers(*mlbench("Shuttle", "Class", where / "mlbench"), seed, share=0.5)


def satellite(seed: int, where: Path) -> Task:
    """As it is: the control, whose rarest class has a tenth of the rows."""
    return numbers(*mlbench("Satellite", "classes", where / "mlbench"), seed)


def idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape([int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])])


def convolutions(channels: int, classes: int, side: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, classes),
    )


def images(train: Arrays, test: Arrays, ratio: float, seed: int) -> Task:
    rows = cut(train[1], ratio, seed)
    shown = np.random.default_rng(seed).permutation(len(test[1]))[:4000]
    x, y = train[0][rows], train[1][rows]
    return Task((x, y), (test[0][shown], test[1][shown]), convolutions(x.shape[1], 10, x.shape[2]), 10)


def fashion(seed: int, where: Path) -> Task:
    def part(stem: str) -> Arrays:
        x = idx(where / "fashion" / f"{stem}-images-idx3-ubyte.gz")[:, None].astype(np.float32) / 255
        return (x - np.float32(0.286)) / np.float32(0.353), idx(where / "fashion" / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64)

    return images(part("train"), part("t10k"), 100, seed)


def cifar(seed: int, where: Path) -> Task:
    from PIL import Image

    def part(name: str, each: int) -> Arrays:
        folders = sorted((where / "cifar" / name).iterdir())
        files = [(path, k) for k, folder in enumerate(folders) for path in sorted(folder.iterdir())[:each]]
        x = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files]).transpose(0, 3, 1, 2)
        return (x.astype(np.float32) / 255 - 0.47) / 0.25, np.array([k for _, k in files])

    return images(part("train", 2000), part("test", 400), 50, seed)


class Transformer(nn.Module):
    """Token ids [N, L], 0 is padding, to logits: one layer of attention, the mean of what is no padding."""

    def __init__(self, vocabulary: int, width: int, classes: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, classes)

    def forward(self, ids):
        shown = (ids > 0).float().unsqueeze(-1)
        x = self.embedding(ids)
        scores = self.query(x) @ self.key(x).transpose(1, 2) * self.out.in_features**-0.5
        mixed = torch.softmax(scores - 1e4 * (1 - shown.transpose(1, 2)), -1) @ self.value(x)
        x = self.norm(x + self.out(mixed))
        x = self.norm2(x + self.feed(x))
        return self.head((x * shown).sum(1) / shown.sum(1).clamp_min(1))


COLLECTIONS = ["cookie", "computers", "definitions", "linux", "literature", "politics", "riddles", "startrek", "wisdom", "work"]


def fortunes(seed: int, where: Path) -> Task:
    """Words are hashed into 4,000 ids; the first 48 of a text count."""
    x, y = [], []
    for k, name in enumerate(COLLECTIONS):
        for text in (where / "fortunes" / name).read_text(encoding="utf8", errors="replace").split("\n%\n"):
            words = [1 + zlib.crc32(word.encode()) % 3999 for word in re.findall(r"[a-z']+", text.lower())][:48]
            if len(words) >= 4:
                x.append(words + [0] * (48 - len(words)))
                y.append(k)
    train, test = split(np.array(x, np.int64), np.array(y), 0.3, seed)
    return Task(train, test, Transformer(4000, 32, len(COLLECTIONS)), len(COLLECTIONS))


def control(seed: int, _: Path) -> Task:
    """Six kinds of charts of 60 points, a tail of 40."""
    draw = np.random.default_rng(500 + seed)

    def charts(kind: int, count: int) -> np.ndarray:
        t = np.arange(60)
        base = 30 + 2 * 2.2 * draw.uniform(-3, 3, (count, 60))
        slope, at = draw.uniform(0.1, 0.35, (count, 1)), draw.integers(20, 41, (count, 1))
        wave = draw.uniform(4, 10, (count, 1)) * np.sin(2 * np.pi * t / draw.uniform(10, 15, (count, 1)))
        jump = draw.uniform(3, 10, (count, 1)) * (t >= at)
        return base + [0 * t, wave, slope * t, -slope * t, jump, -jump][kind]

    def part(each: int) -> Arrays:
        x = np.concatenate([charts(k, each) for k in range(6)])
        return ((x - 30) / 10).astype(np.float32)[:, None], np.repeat(np.arange(6), each)

    train, test = part(400), part(200)
    rows = cut(train[1], 40, seed)
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(16, 32, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Linear(32 * 15, 6),
    )
    return Task((train[0][rows], train[1][rows]), test, net, 6)


TASKS = {
    "digits": digits, "wine": wine, "cancer": cancer, "table-98": table_98, "table-99": table_99, "letter": letter, "shuttle": shuttle,
    "satellite": satellite, "fortunes": fortunes, "control": control, "fashion": fashion, "cifar": cifar,
}


def make(name: str, seed: int, where: Path) -> Task:
    """The same data and initial weights for the same seed."""
    torch.manual_seed(seed)
    return TASKS[name](seed, where)


def parts(task: Task, seed: int, seen: bool) -> tuple[Arrays, Arrays]:
    """What the model before was trained on, and the data to train it on now: the same, or half of the rows each, class by class."""
    return (task.train, task.train) if seen else split(*task.train, 0.5, seed + 1000)
