"""PyTorch's side of bench/longtail: the networks, and the same training on the same initial weights and batch order.

    python bench/longtail/reference.py export fashion|shuttle SEED OUT.onnx
    python bench/longtail/reference.py train CONFIG.json      # one line of JSON per epoch

The losses are those of the IB loss's authors (fixtures/pytorch/reference.py). CONFIG.json is written by bench/longtail/run.ts.
"""
import gzip
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures" / "pytorch"))
import reference  # noqa: E402


class Net(nn.Module):
    """A classifier that also gives the input of its last layer, the features."""

    def __init__(self, body: nn.Sequential, head: nn.Linear):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        features = self.body(x)
        return self.head(features), features


def fashion() -> tuple[Net, torch.Tensor]:
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(),
    )
    return Net(body, nn.Linear(64, 10)), torch.zeros(1, 1, 28, 28)


def shuttle() -> tuple[Net, torch.Tensor]:
    body = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    return Net(body, nn.Linear(32, 7)), torch.zeros(1, 9)


WORKS = {"fashion": fashion, "shuttle": shuttle}


class Logits(nn.Module):
    def __init__(self, net: Net):
        super().__init__()
        self.body, self.head = net.body, net.head

    def forward(self, x):
        return self.head(self.body(x))


def export(work: str, seed: int, out: str) -> None:
    torch.manual_seed(seed)
    net, x = WORKS[work]()
    torch.onnx.export(
        Logits(net).eval(), (x,), out, opset_version=17, dynamo=False, input_names=["x"], output_names=["logits"],
        dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
    )


def restore(net: Net, path: str) -> None:
    """The weights of an .onnx, or of a training state in .safetensors, which also has the momenta."""
    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(weights[name].copy()))


def restore_state(net: Net, optimizer: torch.optim.SGD, path: str) -> None:
    raw = Path(path).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])

    def tensor(name: str) -> torch.Tensor:
        start, end = header[name]["data_offsets"]
        data = np.frombuffer(raw[8 + size + start:8 + size + end], np.float32)
        return torch.from_numpy(data.reshape(header[name]["shape"]).copy())

    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(tensor(name))
            optimizer.state[parameter]["momentum_buffer"] = tensor(f"{name}.momentum")


def idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    dims = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def load(config: dict, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    if config["work"] == "fashion":
        folder, stem = Path(config["data"]), {"train": "train", "test": "t10k"}[part]
        images = idx(folder / f"{stem}-images-idx3-ubyte.gz")[:, None].astype(np.float32) / 255
        images = (images - np.float32(config["mean"])) / np.float32(config["std"])
        labels = idx(folder / f"{stem}-labels-idx1-ubyte.gz").astype(np.int64)
        return torch.from_numpy(images), torch.from_numpy(labels)
    table = np.loadtxt(Path(config["data"]) / f"{part}.csv", delimiter=",", skiprows=1, dtype=np.float64)
    return torch.from_numpy(table[:, :-1].astype(np.float32)), torch.from_numpy(table[:, -1].astype(np.int64))


def judge(net: Net, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        predicted = torch.cat([net(part)[0].argmax(1) for part in x.split(256)])
    return float(np.mean([(predicted[y == k] == k).double().mean().item() for k in y.unique()]))


def calibrate(net: Net, x: torch.Tensor, y: torch.Tensor, augment: dict) -> float:
    """Σ ce / Σ (ce · f), f the factor at α = 1."""
    ce = weighted = 0.0
    with torch.no_grad():
        for xs, ys in zip(x.split(256), y.split(256)):
            logits, features = net(xs)
            own = reference.losses({**augment, "loss": "ce"}, logits, features, ys)["loss_per_sample"].double()
            factor = reference.losses({**augment, "loss": "ib", "alpha": 1.0}, logits, features, ys)["ib_factor"].double()
            ce, weighted = ce + own.sum(), weighted + (own * factor).sum()
    return float(ce / weighted)


def train(config: dict) -> None:
    torch.set_num_threads(config["threads"])
    (x, y), (test_x, test_y) = load(config, "train"), load(config, "test")
    order = np.load(config["order"])
    rows = torch.from_numpy(order["rows"].astype(np.int64))
    counts = np.bincount(y[rows].numpy(), minlength=int(y.max()) + 1).tolist()
    first = None
    for arm in config["arms"]:
        first = run_arm(config, arm, (x, y), (test_x, test_y), order, rows, counts, first)


def run_arm(config, arm, data, test, order, rows, counts, first):
    x, y = data
    net = WORKS[config["work"]]()[0]
    restore(net, config["model"])
    optimizer = torch.optim.SGD(net.parameters(), lr=config["rate"], momentum=config["momentum"], weight_decay=config["weightDecay"])
    start = 0
    if "state" in config:
        restore_state(net, optimizer, config["state"])
        start = config["ibFrom"]
    elif first is not None:
        net.load_state_dict(first["net"])
        optimizer.load_state_dict(first["optimizer"])
        start = config["ibFrom"]
    augment = {key: arm[key] for key in ("loss", "alpha", "detachFactor", "gamma") if key in arm}
    augment["classWeights"] = arm["weights"]
    if arm["weights"] != "none":
        augment["classCounts"] = counts
    for epoch in range(start, config["epochs"]):
        if epoch == config["ibFrom"]:
            if first is None:
                import copy
                first = copy.deepcopy({"net": net.state_dict(), "optimizer": optimizer.state_dict()})
            if arm.get("alpha") == "auto":
                augment["alpha"] = calibrate(net, x[rows], y[rows], augment)
        in_loss = epoch >= config["ibFrom"]
        now = augment if in_loss else {"loss": "ce", "classWeights": "none"}
        for group in optimizer.param_groups:
            group["lr"] = config["rate"] * (config["factor"] if in_loss else 1)
        begun = time.perf_counter()
        losses = one_epoch(net, optimizer, x, y, torch.from_numpy(order[f"epoch{epoch}"].astype(np.int64)), config, now)
        trained = time.perf_counter()
        balanced = None if config.get("steps") else judge(net, *test)
        done = time.perf_counter()
        record = {
            "arm": arm["name"], "epoch": epoch + 1, "losses": losses, "balanced": balanced, "alpha": augment.get("alpha"),
            "trainSeconds": trained - begun, "seconds": done - begun,
        }
        print(json.dumps(record), flush=True)
        if config.get("steps"):
            break
    return first


def one_epoch(net, optimizer, x, y, order, config, augment) -> list[float]:
    losses = []
    # Class weights are made once, as a criterion makes them.
    weights = reference.class_weights(augment)
    augment = {**augment, "classWeights": "none" if weights is None else weights.tolist()}
    for batch in list(order.split(config["batch"]))[: config.get("steps")]:
        logits, features = net(x[batch])
        loss = reference.losses(augment, logits, features, y[batch])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).tolist()


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        train(json.loads(Path(sys.argv[2]).read_text()))
