"""A saved version as the verbs below the notebook see it: a content under a prompt's name."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..errors import StudyError
from ..version import PromptVersion

__all__ = ["Saved", "as_saved"]


@runtime_checkable
class Saved(Protocol):
    """prompt: the name; number: its display number; version: the content; label: "v2"."""

    @property
    def prompt(self) -> str:
        """The prompt's name."""

    @property
    def number(self) -> int:
        """The display number."""

    @property
    def version(self) -> PromptVersion:
        """The content."""

    @property
    def label(self) -> str:
        """How it is shown."""

    @property
    def id(self) -> str:
        """The content's id."""


def as_saved(value: object) -> Saved:
    """The value as a saved version. Raises StudyError for anything else."""
    if isinstance(value, Saved) and isinstance(value.version, PromptVersion) and value.prompt:
        return value
    raise StudyError(
        f"{value!r} is not a saved version; save it first: lab.prompt(name).save(...), then "
        "promote what that returns."
    )
