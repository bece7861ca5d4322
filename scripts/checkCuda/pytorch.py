"""PyTorch's side of `npm run check:cuda`: the networks, and the time of their steps in eager mode.

    python3 pytorch.py export FOLDER
    python3 pytorch.py time DEVICE SECONDS tf32|float32|autocast NAME…     one JSON object per line

PyTorch alone is needed: no torchvision, no transformers, no onnx.
"""
import json, os, pathlib, sys, time, warnings

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


class ResNet32(nn.Module):
    """For CIFAR: 3 stages of 5 blocks, 16 to 64 channels, shortcuts by projection."""

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            same = before == width and stride == 1
            self.down = nn.Identity() if same else nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x):
            return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.down(x))

    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        widths = [(16, 16, 1)] + [(16, 16, 1)] * 4 + [(16, 32, 2)] + [(32, 32, 1)] * 4 + [(32, 64, 2)] + [(64, 64, 1)] * 4
        self.blocks = nn.Sequential(*[self.Block(*width) for width in widths])
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


class MobileNetV2(nn.Module):
    """Sandler et al., 2018, table 2, for 10 classes."""

    class Block(nn.Module):
        def __init__(self, before, after, stride, widen):
            super().__init__()
            width = before * widen
            norm = lambda n: nn.BatchNorm2d(n)
            first = [] if widen == 1 else [nn.Conv2d(before, width, 1, bias=False), norm(width), nn.ReLU6()]
            self.body = nn.Sequential(
                *first,
                nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), norm(width), nn.ReLU6(),
                nn.Conv2d(width, after, 1, bias=False), norm(after),
            )
            self.adds = stride == 1 and before == after

        def forward(self, x):
            return x + self.body(x) if self.adds else self.body(x)

    def __init__(self, classes=10):
        super().__init__()
        layers = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
        before = 32
        for widen, after, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            for i in range(count):
                layers.append(self.Block(before, after, stride if i == 0 else 1, widen))
                before = after
        layers += [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(1280, classes)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


class Bert(nn.Module):
    """BERT's encoder (Devlin et al., 2019): 4 layers of width 256 with 4 heads, a classifier on the first token."""

    class Layer(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def split(self, x):
            return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

        def forward(self, x):
            q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
            weights = torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5), -1)
            mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
            x = self.norm1(x + self.out(mixed))
            return self.norm2(x + self.down(F.gelu(self.up(x))))

    def __init__(self, classes=10, width=256, length=64, vocabulary=2000):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*[self.Layer(width, 4) for _ in range(4)])
        self.fc = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.fc(self.layers(self.norm(self.words(tokens) + self.places))[:, 0])


class Lstm(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


# name: network, one sample's shape, samples in a batch, whether BatchNorm is trained
NETWORKS = {
    "resnet32": (ResNet32, (3, 32, 32), 128, True),
    "mobilenetv2": (MobileNetV2, (3, 96, 96), 32, True),
    "bert": (Bert, (64,), 32, False),
    "lstm": (Lstm, (24, 32), 64, False),
}


def batch_of(name, rows, device="cpu"):
    shape = NETWORKS[name][1]
    torch.manual_seed(1)
    x = torch.randint(0, 2000, (rows, *shape)) if name == "bert" else torch.randn(rows, *shape)
    return x.to(device), torch.randint(0, 10, (rows,)).to(device)


def built(name):
    torch.manual_seed(0)
    return NETWORKS[name][0]()


def export(folder):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for name, (_, _, batch, norms) in NETWORKS.items():
        model = built(name).train(norms)
        mode = torch.onnx.TrainingMode.TRAINING if norms else torch.onnx.TrainingMode.EVAL
        path = os.path.join(folder, name + ".onnx")
        torch.onnx.export(
            model, (batch_of(name, 2)[0],), path + ".tmp", dynamo=False, opset_version=17, training=mode,
            do_constant_folding=not norms, input_names=["x"], output_names=["logits"], dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
        )
        os.replace(path + ".tmp", path)
        print(json.dumps({"name": name, "batch": batch, "shape": list(NETWORKS[name][1]), "norms": norms}), flush=True)


def measure_one(device, seconds, mode, name):
    batch, norms = NETWORKS[name][2], NETWORKS[name][3]
    model = built(name).to(device).train(norms)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler = torch.amp.GradScaler(device, enabled=mode == "autocast")
    x, y = batch_of(name, batch, device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def step():
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.float16, enabled=mode == "autocast"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(5):
        step()
    wait()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        for _ in range(10):
            step()
        wait()
        times.append((time.perf_counter() - start) / 10)
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
    print(json.dumps({"name": name, "mode": mode, "ms": 1000 * sorted(times)[len(times) // 2], "runs": len(times), "peakMiB": peak}), flush=True)


def measure(device, seconds, mode, names):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode != "float32"
    torch.backends.cudnn.benchmark = True
    for name in names:
        try:
            measure_one(device, seconds, mode, name)
        except Exception as error:  # the other networks are timed all the same
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2])
    else:
        measure(sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5:])
