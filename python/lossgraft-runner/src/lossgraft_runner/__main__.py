"""`lossgraft-runner JOB`, alone or as a worker of torchrun."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from .collective import Collective, Single
from .errors import LostWorkerError, WorkersError, of_rank
from .plan import RUNNER
from .walk import SAVE_SECONDS, Options, walk

DONE, FAILED, STOPPED = 0, 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Gives the exit status: 0 done, 1 something is wrong, 130 stopped with a checkpoint."""
    asked = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    is_worker = "WORLD_SIZE" in os.environ and "RANK" in os.environ
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = asked.threads or max(1, (os.cpu_count() or 1) // local)
    collective = _join() if is_worker else Single()
    is_first = collective.rank == 0
    options = Options(
        threads=threads,
        save_seconds=asked.save_seconds,
        stop=stop,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
    try:
        outcome = walk(asked.job, collective, options)
    except WorkersError as error:
        if is_first:
            print(error, file=sys.stderr, flush=True)
        return FAILED
    except LostWorkerError as error:
        print(of_rank(collective.rank, error), file=sys.stderr, flush=True)
        # A process group without all of its workers may never close.
        os._exit(FAILED)
    if is_worker:
        _leave()
    if is_first and outcome.ended == "stopped":
        print("stopped; the same command continues from the checkpoint", file=sys.stderr, flush=True)
    if is_first and outcome.ended == "done":
        print(f"done; on a machine with Node: lossgraft collect {asked.job} -o tuned.onnx", file=sys.stderr, flush=True)
    return DONE if outcome.ended == "done" else STOPPED


def _join() -> Collective:
    import torch.distributed as dist

    from .torch_collective import TorchCollective

    dist.init_process_group("gloo")
    return TorchCollective()


def _leave() -> None:
    import torch.distributed as dist

    dist.destroy_process_group()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lossgraft-runner", description="Takes the steps of a job of lossgraft export-job")
    parser.add_argument("job", type=Path, help="the job's folder, the same for all workers")
    parser.add_argument(
        "--threads", type=int, help="threads per operator (default: the cores, shared by the workers here)"
    )
    parser.add_argument(
        "--save-seconds", type=float, default=SAVE_SECONDS, help="between two checkpoints (default: 600)"
    )
    parser.add_argument("--version", action="version", version=RUNNER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
