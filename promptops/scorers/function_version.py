"""Which version of itself a scorer's function is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..models.code_version import CodeVersion

__all__ = ["FunctionVersion"]


class FunctionVersion(CodeVersion):
    """8 hex digits over what a function does, and how its values are read as scores."""

    def __init__(
        self,
        function: Callable[..., object],
        at_least: float | None = None,
        labels: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(function, (repr(at_least), repr(sorted((labels or {}).items()))))
