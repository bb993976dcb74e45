"""Two versions over several tasks, as a notebook shows them."""

from __future__ import annotations

from dataclasses import fields

from ..analysis.tasks import Tasks as Found
from . import show

__all__ = ["Tasks"]


class Tasks(Found):
    """`analysis.tasks.Tasks` with a face."""

    __slots__ = ()

    @classmethod
    def shown(cls, found: Found) -> Tasks:
        """The tasks, ready to show."""
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    def _repr_html_(self) -> str:
        return show.html(self)
