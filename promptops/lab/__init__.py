"""The API for notebooks: `from promptops.lab import Lab, Dataset`."""

from __future__ import annotations

import importlib.util

from ..errors import MissingExtra

if any(importlib.util.find_spec(name) is None for name in ("duckdb", "numpy", "pandas")):
    raise MissingExtra("promptops.lab")

from ..dataset import Dataset, Example
from ..models.target import target
from ..policy import Guardrail, Policy
from ..study.judge_bias import position_bias
from ..version import PromptVersion
from .compare_table import compare
from .comparison import Comparison
from .judge_report import JudgeReport, keep_labels
from .lab import Lab
from .measured_judge import measure_judge
from .several_tasks import over_tasks
from .study import Study

__all__ = [
    "Comparison",
    "Dataset",
    "Example",
    "Guardrail",
    "JudgeReport",
    "Lab",
    "Policy",
    "PromptVersion",
    "Study",
    "compare",
    "keep_labels",
    "measure_judge",
    "over_tasks",
    "position_bias",
    "target",
]


def __dir__() -> list[str]:
    """What completion offers: the names of this door, not the modules behind it."""
    return sorted(__all__)
