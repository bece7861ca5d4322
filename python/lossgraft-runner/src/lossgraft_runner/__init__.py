"""Takes the steps of a training that `lossgraft export-job` planned."""

from .collective import Collective, LocalCollective, Single, run_local
from .errors import RunnerError
from .walk import Outcome, walk

__version__ = "0.1.0"
__all__ = ["Collective", "LocalCollective", "Outcome", "RunnerError", "Single", "run_local", "walk"]
