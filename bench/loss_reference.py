"""PyTorch's side of bench/loss.ts: the losses, eager, operation by operation as the IB loss's authors write them; with "gradient" backward, too.

Reads one request per line, {"loss", "rows", "classes", "threads", "runs", "gradient"}, and answers each with its times in ms as JSON.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@functools.cache
def inputs(rows: int, classes: int) -> Inputs:
    torch.manual_seed(2021)
    weights = torch.rand(classes) + 0.5
    return 3 * torch.randn(rows, classes), torch.randint(classes, (rows,)), 30 * torch.rand(rows), weights


def forward(loss: str, logits: torch.Tensor, labels: torch.Tensor, norm: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    per_sample = F.cross_entropy(logits, labels, reduction="none", weight=weights)
    if "focal" in loss:
        per_sample = (1 - torch.exp(-per_sample)) ** 2 * per_sample
    if loss == "focal":
        per_sample = per_sample * 10
    if "ib" in loss:
        grads = torch.sum(torch.abs(F.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])), 1)
        per_sample = per_sample * (1000.0 / (grads * norm + 1e-3))
    return per_sample.mean()


def with_gradient(loss: str, logits: torch.Tensor, labels: torch.Tensor, norm: torch.Tensor, weights: torch.Tensor) -> None:
    logits, norm = logits.detach().requires_grad_(), norm.detach().requires_grad_()
    with torch.enable_grad():
        forward(loss, logits, labels, norm, weights).backward()


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    torch.set_grad_enabled(False)
    print(json.dumps(torch.__version__), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        given = inputs(request["rows"], request["classes"])
        run = functools.partial(with_gradient if request["gradient"] else forward, request["loss"], *given)
        timed(run)
        print(json.dumps([timed(run) for _ in range(request["runs"])]), flush=True)


if __name__ == "__main__":
    main()
