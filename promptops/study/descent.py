"""Whether a version comes from what a search made or chose: it is that, was saved as made from it,
or has nearly its text, with other settings or another model, or with a few words edited by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Any

from ..canonical import canonical
from ..errors import PromptOpsError
from ..version import PromptVersion
from .near_copies import folded
from .queries.kept_content import version_documents
from .queries.plans import ancestors_of, candidates_of

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["Descent", "template_in"]

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
    def ancestors(self) -> set[str]:
        """The ids of the version and of those that it was made from, as far as that is recorded."""
        return ancestors_of(self.store, self.version, self.baseline)

    def kin(self, search: str) -> list[str]:
        """The ids of a search's candidates that the version is, was made from, or resembles."""
        candidates = candidates_of(self.store, search)
        self._read([self.version, *candidates])
        return [id_ for id_ in candidates if id_ in self.ancestors or self._likeness(id_)]

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
        if not self.ancestors.isdisjoint(candidates):
            return "edited"
        others = [seed] if self.baseline is None else [seed, self.baseline]
        self._read([self.version, *others, *candidates])
        least = max(map(self._likeness, others))
        return "edited" if any(least < self._likeness(id_) for id_ in candidates) else ""

    def _likeness(self, other: str) -> float:
        """How much of its text another version has, 0 if that is not nearly all."""
        own = self._texts[self.version]
        return _alike(own, self._texts[other]) if own else 0.0

    def _read(self, versions: list[str]) -> None:
        """The texts of versions' messages, without what is only typed otherwise."""
        new = [id_ for id_ in dict.fromkeys(versions) if id_ not in self._texts]
        found = version_documents(self.store, new) if new else {}
        for id_ in new:
            parts = [message.get("content") for message in template_in(found.get(id_)) or ()]
            texts = [part if isinstance(part, str) else canonical(part) for part in parts]
            self._texts[id_] = folded("\n".join(texts))


def template_in(document: str | None) -> Sequence[Mapping[str, Any]] | None:
    """The messages in a version's document; None if it is not one, as a file may bring."""
    try:
        return PromptVersion.from_content(json.loads(document or "")).template
    except (PromptOpsError, AttributeError, LookupError, TypeError, ValueError):
        return None


@lru_cache(maxsize=1000)  # of 20,000 characters a pair takes a tenth of a second
def _alike(one: str, two: str) -> float:
    """How much of two texts is equal, 0 if that is less than nearly all."""
    if one == two:
        return 1.0
    short = max(len(one), len(two)) <= _SHORT
    mine, theirs = (list(text) if short else text.split() for text in (one, two))
    size = len(mine) + len(theirs)
    if 2 * min(len(mine), len(theirs)) < _NEARLY * size:
        return 0.0
    # most edits leave the beginning and the end, which take no search
    same = sum(takewhile(bool, map(eq, mine, theirs)))
    mine, theirs = mine[same:][::-1], theirs[same:][::-1]
    end = sum(takewhile(bool, map(eq, mine, theirs)))
    matcher = SequenceMatcher(None, mine[end:], theirs[end:], autojunk=False)
    found = 0.0
    for share in (matcher.quick_ratio, matcher.ratio):
        found = (2 * (same + end) + share() * (size - 2 * (same + end))) / size
        if found < _NEARLY:
            return 0.0
    return found
