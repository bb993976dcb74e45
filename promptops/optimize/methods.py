"""Methods by their names: what `method="few_shot"` means."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from ..errors import StudyError
from .few_shot import FewShot
from .gepa_backend import Gepa
from .instructions import Instructions
from .task import Optimizer

__all__ = ["METHODS", "method_of", "method_with"]

METHODS: dict[str, Callable[..., Optimizer]] = {
    "few_shot": FewShot,
    "instructions": Instructions,
    "gepa": Gepa,
}


def method_of(method: str | Optimizer) -> Optimizer:
    """The optimiser of a name, or the one that was passed. Raises StudyError for anything else."""
    if isinstance(method, str) and method in METHODS:
        return METHODS[method]()
    if not isinstance(method, str) and isinstance(method, Optimizer):
        if not inspect.iscoroutinefunction(method.run):
            raise StudyError(
                f"run of the method {method.name!r} is not a coroutine function; write it as `async"
                " def run(self, task, rng)`, without yield."
            )
        return method
    raise StudyError(
        f"method is {method!r}; choose {', '.join(map(repr, METHODS))}, or pass an object with"
        " name, document() and run(task, rng)."
    )


def method_with(method: str, settings: Mapping[str, object]) -> Optimizer:
    """The optimiser of a name with settings of its own, as in k = 24.

    Raises StudyError for a name or a setting that there is not.
    """
    if not settings or method not in METHODS:
        return method_of(method)
    try:
        return METHODS[method](**settings)
    except TypeError:
        raise StudyError(
            f"method {method!r} does not take all of {', '.join(settings)}; see its class in"
            " promptops.optimize."
        ) from None
