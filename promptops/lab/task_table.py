"""Two versions over several tasks, as a notebook shows them."""

from __future__ import annotations

from dataclasses import fields

from ..analysis.tasks import TaskGains
from . import show

__all__ = ["Tasks"]


class Tasks(TaskGains):
    """`analysis.tasks.TaskGains`, displayed in a notebook."""

    __slots__ = ()

    @classmethod
    def shown(cls, found: TaskGains) -> Tasks:
        """Make a table of tasks that can be displayed."""
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    def _repr_html_(self) -> str:
        return show.html(self)
