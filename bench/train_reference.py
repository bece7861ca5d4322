"""PyTorch's side of bench/train.ts: exports the models, and times its own training steps on request.

    python bench/train_reference.py export OUT
    python bench/train_reference.py time WORK THREADS ROUNDS BATCH STEPS    # one JSON line: {"ms": [...], "rss": bytes above the import}

A work of an epoch of STEPS is timed with a DataLoader that shuffles, per step.
"""
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import torch
import torchvision
from torch import nn

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures" / "pytorch"))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def resnet32() -> nn.Module:
    from zoo_models import CifarResNet  # the IB paper's network for CIFAR

    return CifarResNet(5)


def fashion_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )


WORKS = {
    "resnet32": (resnet32, (128, 3, 32, 32), 10, "train", "all"),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, (8, 3, 224, 224), 1000, "eval", "all"),
    "mlp": (mlp, (128, 784), 10, "eval", "all"),
    "fashion-cnn": (fashion_cnn, (128, 1, 28, 28), 10, "eval", "all"),
    "resnet18-head": (torchvision.models.resnet18, (32, 3, 224, 224), 1000, "eval", "head"),
}
# The same work as another, which lossgraft does in another way.
WORKS["resnet18-head-cached"] = WORKS["resnet18-head"]
WORKS["resnet18"] = (torchvision.models.resnet18, (8, 3, 224, 224), 1000, "eval", "all")
# These train the file of another one.
SHARED = {"resnet18-head-cached", "resnet18"}
EPOCHS = {"fashion-cnn"}


def build(name: str, batch: int | None = None) -> tuple[nn.Module, torch.Tensor, torch.Tensor, str]:
    make, shape, classes, mode, trainable = WORKS[name]
    shape = (batch or shape[0], *shape[1:])
    torch.manual_seed(0)
    model = make().train(mode == "train")
    if trainable == "head":
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        model.fc.requires_grad_(True)
    return model, torch.randn(shape), torch.randint(classes, shape[:1]), mode


def export(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in [name for name in WORKS if name not in SHARED]:
        model, x, _, mode = build(name)
        training = torch.onnx.TrainingMode.TRAINING if mode == "train" else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(
            model, (x[:2],), str(out / f"{name}.onnx"), opset_version=17, dynamo=False, training=training,
            do_constant_folding=mode == "eval", input_names=["x"], output_names=["logits"],
            dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
        )


def batches(name: str, x: torch.Tensor, labels: torch.Tensor, batch: int, rounds: int):
    if name not in EPOCHS:
        yield from ((x, labels) for _ in range(rounds))
        return
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=batch, shuffle=True)
    while True:
        yield from loader


def clock(name: str, threads: int, rounds: int, batch: int, steps: int) -> None:
    torch.set_num_threads(threads)
    is_epoch = name in EPOCHS
    model, x, labels, _ = build(name, batch * steps if is_epoch else batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    times = []
    per = steps if is_epoch else 1
    given = batches(name, x, labels, batch, rounds)
    for _ in range(max(3, rounds // 2) if is_epoch else rounds):
        start = time.perf_counter()
        for _ in range(per):
            images, targets = next(given)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), targets).backward()
            optimizer.step()
        times.append((time.perf_counter() - start) * 1e3 / per)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ms": times[1 if is_epoch else 2 :], "rss": (peak - before) * 1024, "torch": torch.__version__}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        clock(sys.argv[2], *map(int, sys.argv[3:7]))
