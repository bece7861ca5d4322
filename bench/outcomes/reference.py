"""PyTorch's side of bench/outcomes, and the judge of both: scikit-learn's metrics of what Python's ONNX Runtime computes.

    python bench/outcomes/reference.py start TASK SEED SOURCES OUT new|seen    # OUT/start.onnx, start.pt, train.npz, test.npz
    python bench/outcomes/reference.py methods TASK SEED SOURCES OUT new|seen EPOCHS BATCH RATE
    python bench/outcomes/reference.py judge OUT MODEL.onnx           # against OUT/start.onnx

`methods` trains from the start by each method that one would try by hand, on all training data, and prints a line of JSON for each.
"""
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score
from tasks import Arrays, make, parts
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def two(logits: torch.Tensor) -> torch.Tensor:
    """One sigmoid is a softmax over (0, z)."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


def weights(counts: np.ndarray, power: float) -> torch.Tensor:
    inverse = np.where(counts > 0, np.maximum(counts, 1.0) ** -power, 0)
    return torch.tensor(inverse / inverse[inverse > 0].mean(), dtype=torch.float32)


def adjusted(tau: float):
    return lambda counts: lambda z, y: F.cross_entropy(z + tau * torch.log(torch.tensor(np.maximum(counts, 1) / counts.sum())).float(), y)


def weighted(power: float):
    def of(counts):
        w = weights(counts, power)
        return lambda z, y: (w[y] * F.cross_entropy(z, y, reduction="none")).mean()

    return of


def plain(_):
    return F.cross_entropy


# name: (the loss of the class counts, the power p of drawing a sample of class k as often as n_k^-p)
METHODS = {
    "plain cross-entropy": (plain, 0.0),
    "logit adjustment, τ 0.5": (adjusted(0.5), 0.0),
    "balanced softmax": (adjusted(1.0), 0.0),
    "weights 1/n": (weighted(1.0), 0.0),
    "weights 1/√n": (weighted(0.5), 0.0),
    "drawn by √n": (plain, 0.5),
    "drawn equally": (plain, 1.0),
}


def fit(net: nn.Module, data: Arrays, classes: int, loss, power: float, epochs: int, batch: int, rate: float, seed: int, decay: float = 0.01) -> None:
    """AdamW, a cosine over all steps after a warm-up of one epoch."""
    x, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    counts = np.bincount(data[1], minlength=classes)
    draw = np.random.default_rng(seed)
    share = np.maximum(counts, 1.0)[data[1]] ** -power
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    steps = max(1, -(-len(y) // batch))
    criterion = loss(counts)
    net.train()
    for epoch in range(epochs):
        order = draw.permutation(len(y)) if power == 0 else draw.choice(len(y), len(y), p=share / share.sum())
        for step in range(steps):
            done = epoch * steps + step
            warm = min(1, (done + 1) / steps) if epochs > 1 else 1
            for group in optimizer.param_groups:
                group["lr"] = rate * warm * 0.5 * (1 + np.cos(np.pi * max(0, done - steps) / max(1, epochs * steps - steps)))
            rows = torch.from_numpy(order[step * batch : (step + 1) * batch])
            if len(rows) < 2:
                continue
            optimizer.zero_grad()
            criterion(two(net(x[rows])), y[rows]).backward()
            optimizer.step()
    net.eval()


def start(name: str, seed: int, where: Path, out: Path, seen: bool) -> None:
    task = make(name, seed, where)
    before, now = parts(task, seed, seen)
    steps = max(1, len(before[1]) // 64)
    fit(task.net, before, task.classes, plain, 0.0, int(np.clip(4000 / steps, 15, 150)), 64, 2e-3, seed, 1e-4)
    torch.save(task.net.state_dict(), out / "start.pt")
    torch.onnx.export(
        task.net, (torch.from_numpy(task.train[0][:2]),), out / "start.onnx", opset_version=17, dynamo=False, input_names=["x"],
        output_names=["logits"], dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
    )
    for part, (x, y) in (("train", now), ("test", task.test)):
        np.savez(out / f"{part}.npz", x=x, labels=y)
    print(json.dumps({"counts": np.bincount(now[1], minlength=task.classes).tolist()}))


def scores(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {
        "macroF1": 100 * f1_score(y, predicted, average="macro", labels=np.unique(y), zero_division=0),
        "balanced": 100 * balanced_accuracy_score(y, predicted),
    }


def methods(name: str, seed: int, where: Path, out: Path, seen: bool, epochs: int, batch: int, rate: float) -> None:
    task = make(name, seed, where)
    data = parts(task, seed, seen)[1]
    x, y = task.test
    for method, (loss, power) in METHODS.items():
        task.net.load_state_dict(torch.load(out / "start.pt"))
        fit(task.net, data, task.classes, loss, power, epochs, batch, rate, seed)
        with torch.no_grad():
            predicted = np.concatenate([two(task.net(rows)).argmax(1).numpy() for rows in torch.from_numpy(x).split(1024)])
        print(json.dumps({"method": method, **scores(y, predicted)}), flush=True)


def predict(model: str, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    return np.concatenate([two(torch.from_numpy(session.run(None, {given: x[i : i + 1024]})[0])).argmax(1).numpy() for i in range(0, len(x), 1024)])


def judge(out: Path, model: str) -> None:
    """Both, and the standard errors of their differences by a paired bootstrap within the classes."""
    data = np.load(out / "test.npz")
    x, y = data["x"], data["labels"]
    before, after = predict(str(out / "start.onnx"), x), predict(model, x)
    draw = np.random.default_rng(0)
    by_class = [np.flatnonzero(y == k) for k in np.unique(y)]
    gains = []
    for _ in range(300):
        rows = np.concatenate([draw.choice(own, len(own)) for own in by_class])
        was, now = scores(y[rows], before[rows]), scores(y[rows], after[rows])
        gains.append([now[key] - was[key] for key in ("macroF1", "balanced")])
    error = np.std(gains, 0)
    print(json.dumps({"before": scores(y, before), "after": scores(y, after), "error": {"macroF1": error[0], "balanced": error[1]}}))


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    if verb == "start":
        start(rest[0], int(rest[1]), Path(rest[2]), Path(rest[3]), rest[4] == "seen")
    elif verb == "methods":
        methods(rest[0], int(rest[1]), Path(rest[2]), Path(rest[3]), rest[4] == "seen", int(rest[5]), int(rest[6]), float(rest[7]))
    else:
        judge(Path(rest[0]), rest[1])
