"""Whether a version comes from what a search made or chose: it is that, was saved as made from it,
or has nearly its text, with other settings or another model, or with a few words edited by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from typing import TYPE_CHECKING

from ..canonical import canonical
from .near_copies import folded
from .queries.plans import ancestors_of, candidates_of
from .records import load_version

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["Descent"]

_NEARLY = 0.9  # of two texts: what is equal in them
_SHORT = 400  # characters of a text that is compared by characters; longer ones by words


@dataclass
class Descent:
    """version: id of the version that may come from a search; baseline: of the one that it is
    compared with, None for a first deployment. What comes from the baseline is an edit of that,
    and the search chose both.
    """

    store: Store
    version: str
    baseline: str | None = None
    _texts: dict[str, str] = field(default_factory=dict, init=False)

    @cached_property
    def _ancestors(self) -> set[str]:
        return ancestors_of(self.store, self.version, self.baseline)

    def relation(self, search: str, seed: str) -> str:
        """How the version comes from a search: "itself", "edited", or "" if it does not.

        A text that is as near to the seed or the baseline is an edit of that.

        Args:
            search: the search's id.
            seed: id of the version that it began with.
        """
        candidates = candidates_of(self.store, search)
        if self.version in candidates:
            return "itself"
        if not self._ancestors.isdisjoint(candidates):
            return "edited"
        others = [seed] if self.baseline is None else [seed, self.baseline]
        least = max(map(self._likeness, others))
        return "edited" if any(least < self._likeness(id_) for id_ in candidates) else ""

    def _likeness(self, other: str) -> float:
        """How much of its text another version has, 0 if that is not nearly all."""
        own = self._text(self.version)
        return _alike(own, self._text(other)) if own else 0.0

    def _text(self, version: str) -> str:
        """The texts of a version's messages, without what is only typed otherwise."""
        if version not in self._texts:
            found = load_version(self.store, version)
            parts = [message.get("content") for message in found.template] if found else []
            texts = [part if isinstance(part, str) else canonical(part) for part in parts]
            self._texts[version] = folded("\n".join(texts))
        return self._texts[version]


def _alike(one: str, two: str) -> float:
    """How much of two texts is equal, 0 if that is less than nearly all."""
    if one == two:
        return 1.0
    short = max(len(one), len(two)) <= _SHORT
    mine, theirs = (list(text) if short else text.split() for text in (one, two))
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    bound = min(matcher.real_quick_ratio(), matcher.quick_ratio())
    share = matcher.ratio() if bound >= _NEARLY else 0.0
    return share if share >= _NEARLY else 0.0
