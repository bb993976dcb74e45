"""The API for notebooks: `from promptops.lab import Lab, Dataset`."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from ..errors import MissingExtra
from ..garbage import collecting_rarely

if any(importlib.util.find_spec(name) is None for name in ("duckdb", "numpy", "pandas")):
    raise MissingExtra("promptops.lab")

if TYPE_CHECKING:
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


# Each comes when it is first asked for: a study needs neither the statistics nor the views of the
# others, which take longer to import than its calls may take.
_HOMES = {
    "Comparison": "promptops.lab.comparison",
    "Dataset": "promptops.dataset",
    "Example": "promptops.dataset",
    "Guardrail": "promptops.policy",
    "JudgeReport": "promptops.lab.judge_report",
    "Lab": "promptops.lab.lab",
    "Policy": "promptops.policy",
    "PromptVersion": "promptops.version",
    "Study": "promptops.lab.study",
    "compare": "promptops.lab.compare_table",
    "keep_labels": "promptops.lab.judge_report",
    "measure_judge": "promptops.lab.measured_judge",
    "over_tasks": "promptops.lab.several_tasks",
    "position_bias": "promptops.study.judge_bias",
    "target": "promptops.models.target",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with collecting_rarely():  # what modules hold stays
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    """What completion offers: the names of this door, not the modules behind it."""
    return sorted(__all__)
