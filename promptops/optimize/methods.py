"""Methods by their names: what `method="few_shot"` means."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import StudyError
from .few_shot import FewShot
from .instructions import Instructions
from .task import Optimizer

__all__ = ["METHODS", "method_of"]

METHODS: dict[str, Callable[[], Optimizer]] = {"few_shot": FewShot, "instructions": Instructions}


def method_of(method: str | Optimizer) -> Optimizer:
    """The optimiser of a name, or the one that was passed. Raises StudyError for anything else."""
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    if not isinstance(method, str) and isinstance(method, Optimizer):
        return method
    raise StudyError(
        f"method is {method!r}; choose {', '.join(map(repr, METHODS))}, or pass an object with"
        " name, document() and run(task, rng)."
    )
