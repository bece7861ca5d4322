"""PyTorch's side of bench/run.ts: exports the models, and times its own training steps on request.

    python bench/train_reference.py export OUT MODEL...
    python bench/train_reference.py time WORK THREADS ROUNDS BATCH STEPS    # one JSON line: {"ms": [...], "rss": bytes above the import, "torch"}

A work of an epoch of STEPS is timed with a DataLoader that shuffles, per step.
"""
import ast
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import nn

import loss_reference

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures" / "pytorch"))
WARM_UP = 2


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def cifar_resnet(blocks: int) -> Callable[[], nn.Module]:
    from zoo_models import CifarResNet  # the IB paper's network for CIFAR

    return lambda: CifarResNet(blocks)


def fashion_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )


class Lstm(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(width, hidden, batch_first=True), nn.Linear(hidden, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0][:, -1])


@dataclass(frozen=True)
class Model:
    make: Callable[[], nn.Module]
    sample: tuple[int, ...] = (3, 224, 224)
    classes: int = 1000
    mode: str = "eval"
    dynamo: bool = False


MODELS = {
    "mlp": Model(mlp, (784,), 10),
    "lstm": Model(lambda: Lstm(6, 64), (100, 6), 2),
    "lstm-wide": Model(lambda: Lstm(64, 256), (128, 64), 2),
    "fashion-cnn": Model(fashion_cnn, (1, 28, 28), 10),
    "mobilenet_v2": Model(torchvision.models.mobilenet_v2),
    "resnet18-head": Model(torchvision.models.resnet18),
    "resnet50": Model(torchvision.models.resnet50),
    "vit_b_16": Model(torchvision.models.vit_b_16, dynamo=True),
    "resnet32": Model(cifar_resnet(5), (3, 32, 32), 10, "train"),
} | {f"cifar-resnet-{n}": Model(cifar_resnet(n), (3, 32, 32), 10, "train") for n in (1, 2, 4, 8)}
# Works that train the file of another one.
SHARED = {"resnet18": "resnet18-head", "resnet18-head-cached": "resnet18-head"}
# Prefixes of what is trained; all else is frozen.
TRAINED = {
    "resnet18-head": ("fc.",),
    "resnet18-head-cached": ("fc.",),
    "vit_b_16": ("heads.", "encoder.ln.", "encoder.layers.encoder_layer_11."),
}
EPOCHS = {"fashion-cnn"}


def build(name: str, batch: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    spec = MODELS[SHARED.get(name, name)]
    torch.manual_seed(0)
    model = spec.make().train(spec.mode == "train")
    for key, parameter in model.named_parameters():
        if parameter.dim() == 1:  # of parameters that are equal the exporters make one
            parameter.data += 1e-3 * torch.randn_like(parameter)
        parameter.requires_grad_(key.startswith(TRAINED.get(name, "")))
    return model, torch.randn(batch, *spec.sample), torch.randint(spec.classes, (batch,))


def export(out: Path, names: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    torch.backends.mha.set_fastpath_enabled(False)  # one operator, which the exporters do not know
    for name in names:
        model, x, _ = build(name, 2)
        spec, path = MODELS[name], out / f"{name}.onnx"
        if spec.dynamo:
            export_dynamo(model, x, path)
            continue
        training = torch.onnx.TrainingMode.TRAINING if spec.mode == "train" else torch.onnx.TrainingMode.EVAL
        torch.onnx.export(
            model, (x,), str(path), opset_version=17, dynamo=False, training=training,
            do_constant_folding=spec.mode == "eval", input_names=["x"], output_names=["logits"],
            dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
        )


def export_dynamo(model: nn.Module, x: torch.Tensor, path: Path) -> None:
    import onnx

    program = torch.onnx.export(
        model, (x,), dynamo=True, verbose=False, input_names=["x"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
    )
    program.save(str(path))
    proto = onnx.load(path)
    # Matrices that the exporter has transposed lose their names: each gets that of the layer that reads it.
    anonymous = {tensor.name for tensor in proto.graph.initializer if tensor.name.startswith("val_") and len(tensor.dims) == 2}
    scopes = {
        name: ast.literal_eval(next(p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"))
        for node in proto.graph.node for name in node.input if name in anonymous
    }
    names = {name: f"{scope[-2]}.{name}" for name, scope in scopes.items()}
    for tensor in proto.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in proto.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
    onnx.save(proto, path)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


IMPORTED = resident()


def batches(x: torch.Tensor, labels: torch.Tensor, batch: int, is_epoch: bool):
    if not is_epoch:
        while True:
            yield x, labels
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=batch, shuffle=True)
    while True:
        yield from loader


def steps_of(name: str, batch: int, steps: int) -> Callable[[], None]:
    is_epoch = name in EPOCHS
    model, x, labels = build(name, batch * steps if is_epoch else batch)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    given = batches(x, labels, batch, is_epoch)

    def run() -> None:
        for _ in range(steps if is_epoch else 1):
            images, targets = next(given)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), targets).backward()
            optimizer.step()

    return run


def loss_of(batch: int) -> Callable[[], None]:
    given = loss_reference.inputs(batch, 1000)
    return lambda: loss_reference.with_gradient("ib", *given)


def clock(name: str, threads: int, rounds: int, batch: int, steps: int) -> None:
    torch.set_num_threads(threads)
    run = loss_of(batch) if name == "ib-loss" else steps_of(name, batch, steps)
    per = steps if name in EPOCHS else 1
    times = []
    for _ in range(max(3, rounds // 2) if name in EPOCHS else rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3 / per)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    skipped = 1 if name in EPOCHS else WARM_UP
    print(json.dumps({"ms": times[skipped:], "rss": peak - IMPORTED, "torch": torch.__version__}))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]), sys.argv[3:])
    else:
        clock(sys.argv[2], *map(int, sys.argv[3:7]))
