"""A small job, exported by the lossgraft of this repository, and the model that it trains in one process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DIGITS = ROOT / "fixtures" / "digits"
TRAINING = [
    str(DIGITS / "model.onnx"),
    *("--data", str(DIGITS / "train.npz"), "--loss", "ib", "--ib-from", "1", "--epochs", "3", "--batch-size", "37"),
    *("--trainable", "all", "--padding", "1", "--flip", "--seed", "5", "--clip-norm", "1", "--accumulate", "2"),
]


def lossgraft(*arguments: str) -> str:
    """The command line of this repository."""
    main = ROOT / "dist" / "cli" / "main.js"
    assert main.is_file(), "npm run build first"
    done = subprocess.run(["node", str(main), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Exported:
    job: Path
    tuned: Path
    """Trained by Node, in one process, with the plain forms that files hold."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    job, tuned = folder / "job", folder / "tuned.onnx"
    lossgraft("export-job", *TRAINING, "-o", str(job))
    lossgraft("train", *TRAINING, "-o", str(tuned), "--lower", "off", "--write-anyway", "--no-report")
    return Exported(job, tuned)


@pytest.fixture
def job(exported: Exported, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(exported.job, tmp_path / "job"))


@pytest.fixture
def another(tmp_path: Path) -> Callable[[Path], Path]:
    def copy(job: Path) -> Path:
        return Path(shutil.copytree(job, tmp_path / "another"))

    return copy
