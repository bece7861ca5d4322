"""PyTorch's side of bench/paper: the ResNet-32 of the IB loss's authors, and its first steps.

    python bench/paper/reference.py export SEED OUT.onnx
    python bench/paper/reference.py steps CONFIG.json      # one line of JSON: the loss of every step

CONFIG.json is written by bench/paper/compare.ts: {"model", "images" (a folder of class folders), "order" (.npz: for each step its rows and
draws), "rates", "threads"}.
"""
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image
from torch import nn

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures" / "pytorch"))
from zoo_models import CifarResNet  # noqa: E402

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def network(seed: int) -> nn.Module:
    """As the authors begin: Kaiming's normal distribution for all weights, PyTorch's defaults for the bias and BatchNorm."""
    torch.manual_seed(seed)
    net = CifarResNet(5)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return net


def export(seed: int, out: str) -> None:
    """BatchNorm stays a node of its own, with running statistics; `lossgraft train --batch-norm train` trains it."""
    torch.onnx.export(
        network(seed).eval(), (torch.zeros(2, 3, 32, 32),), out, opset_version=17, dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, keep_initializers_as_inputs=False,
        input_names=["x"], output_names=["logits"], dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
    )


def restore(net: nn.Module, path: str) -> None:
    """The exporter merges tensors that are equal: a name that is missing is an Identity of another one."""
    graph = onnx.load(path).graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if name.endswith("num_batches_tracked"):
                continue
            tensor.copy_(torch.from_numpy(weights[name if name in weights else same[name]].copy()))


def read(folder: str) -> tuple[np.ndarray, torch.Tensor]:
    classes = sorted(path for path in Path(folder).iterdir())
    files = [(path, label) for label, own in enumerate(classes) for path in sorted(own.iterdir())]
    images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in files])
    return images, torch.tensor([label for _, label in files])


def batch_of(images: np.ndarray, rows: np.ndarray, draws: np.ndarray) -> torch.Tensor:
    """As torchvision: RandomCrop(32, padding=4) on the pixels, RandomHorizontalFlip, ToTensor, Normalize; `draws` are top, left, flipped."""
    padded = np.pad(images[rows], ((0, 0), (4, 4), (4, 4), (0, 0)))
    crops = []
    for image, (top, left, flipped) in zip(padded, draws):
        crop = image[top:top + 32, left:left + 32]
        crops.append(crop[:, ::-1] if flipped else crop)
    x = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy()).float() / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def steps(config: dict) -> None:
    torch.set_num_threads(config["threads"])
    order = np.load(config["order"])
    images, labels = read(config["images"])
    net = network(0)
    restore(net, config["model"])
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1, momentum=0.9, weight_decay=2e-4)
    losses = []
    for step, rate in enumerate(config["rates"]):
        rows = order[f"rows{step}"].astype(np.int64)
        x = batch_of(images, rows, order[f"draws{step}"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(net(x), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 0:
            print(step, losses[-1], file=sys.stderr, flush=True)
    print(json.dumps(losses))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(int(sys.argv[2]), sys.argv[3])
    else:
        steps(json.loads(Path(sys.argv[2]).read_text()))
