"""Many versions at once, as a notebook shows them."""

from __future__ import annotations

from dataclasses import fields

from ..analysis.standings import Ranking
from ..markup import plain_repr
from . import show

__all__ = ["Leaderboard"]


class Leaderboard(Ranking):
    """`analysis.standings.Ranking`, displayed in a notebook."""

    __slots__ = ()

    @classmethod
    def shown(cls, ranking: Ranking) -> Leaderboard:
        """Make a leaderboard that can be displayed."""
        return cls(**{field.name: getattr(ranking, field.name) for field in fields(ranking)})

    @plain_repr
    def __repr__(self) -> str:
        return f"<Leaderboard: {self.statement()}>"

    def _repr_html_(self) -> str:
        return show.html(self)
