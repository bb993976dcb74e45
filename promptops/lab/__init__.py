"""The notebook's door: `from promptops.lab import Lab, Dataset`."""

from __future__ import annotations

from ..dataset import Dataset, Example
from ..policy import Guardrail, Policy
from ..version import PromptVersion
from .comparison import Comparison
from .lab import Lab
from .study import Study
from .table import compare

__all__ = ["Comparison", "Dataset", "Example", "Guardrail", "Lab", "Policy", "PromptVersion", "Study", "compare"]
