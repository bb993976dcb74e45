"""Prompts on several models, as a notebook shows them."""

from __future__ import annotations

from dataclasses import fields

from ..analysis.interaction import ModelGains
from . import show

__all__ = ["ModelGrid"]


class ModelGrid(ModelGains):
    """`analysis.interaction.ModelGains`, displayed in a notebook."""

    __slots__ = ()

    @classmethod
    def shown(cls, grid: ModelGains) -> ModelGrid:
        """Make a grid that can be displayed."""
        return cls(**{field.name: getattr(grid, field.name) for field in fields(grid)})

    def _repr_html_(self) -> str:
        return show.html(self)
