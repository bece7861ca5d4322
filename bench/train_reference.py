"""PyTorch's side of bench/train.ts: exports the models, and times its own training steps on request.

    python bench/train_reference.py export OUT
    python bench/train_reference.py time WORK THREADS     # one JSON line: {"ms": [...], "rss": bytes above the import}
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


WORKS = {
    "resnet32": (resnet32, (128, 3, 32, 32), 10, "train", "all"),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, (8, 3, 224, 224), 1000, "eval", "all"),
    "mlp": (mlp, (128, 784), 10, "eval", "all"),
    "resnet18-head": (torchvision.models.resnet18, (32, 3, 224, 224), 1000, "eval", "head"),
}


def build(name: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor, str]:
    make, shape, classes, mode, trainable = WORKS[name]
    torch.manual_seed(0)
    model = make().train(mode == "train")
    if trainable == "head":
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        model.fc.requires_grad_(True)
    return model, torch.randn(shape), torch.randint(classes, shape[:1]), mode


def export(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in WORKS:
        model, x, _, mode = build(name)
        training = torch.onnx.TrainingMode.TRAINING if mode == "train" else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(
            model, (x[:2],), str(out / f"{name}.onnx"), opset_version=17, dynamo=False, training=training,
            do_constant_folding=mode == "eval", input_names=["x"], output_names=["logits"],
            dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
        )


def clock(name: str, threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    model, x, labels, _ = build(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
        times.append((time.perf_counter() - start) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"ms": times[2:], "rss": (peak - before) * 1024, "torch": torch.__version__}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        clock(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
