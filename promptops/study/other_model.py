"""Another model behind the same name or address: its answers are mixed with those of the model
before, and nothing else shows it.

Names that came back are compared, and fingerprints where one followed another: a provider that
answers with several at the same time has not changed. Arms that ask for the same model are looked
at together, since one may have old answers and another new ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from .queries.answerers import answerers_of

if TYPE_CHECKING:
    from ..store import Store
    from .queries.arm_rows import Source

__all__ = ["other_models"]

_FEWEST = 3  # answers of a fingerprint; fewer may have come one after the other by chance


class _Came(NamedTuple):
    """Answers of one arm that came back under one name and fingerprint, between two moments."""

    place: int
    arm: str
    returned: str
    fingerprint: str | None
    answers: int
    first: Any
    last: Any


def other_models(store: Store, sources: Sequence[Source]) -> list[str]:
    """A sentence for each model asked for that is more than one model by what came back, with the
    next step.

    Args:
        store: where the answers are.
        sources: the arms that are read side by side.
    """
    asked_for: dict[tuple[str, str], list[_Came]] = defaultdict(list)
    for place, asked, endpoint, *rest in answerers_of(store, sources):
        asked_for[str(asked), str(endpoint)].append(_Came(place, sources[place][2], *rest))
    found = []
    for (asked, _), came in asked_for.items():
        shown = _told_apart(came)
        if shown:
            arms = list(dict.fromkeys(each.arm for each in sorted(came, key=_place)))
            found.append(
                f"Answers of {_and(arms)} are of more than one model behind {asked!r}: {shown};"
                " evaluate(..., fresh=True) asks all of them again."
            )
    return found


def _told_apart(came: list[_Came]) -> str:
    """The models that came back, oldest first, with their answers; "" if they are one."""
    several = len({each.place for each in came}) > 1
    names: dict[str, list[_Came]] = {}
    for each in came:
        names.setdefault(each.returned, []).append(each)
    if len(names) > 1:
        return ", ".join(f"{name} ({_counted(rows, several)})" for name, rows in names.items())
    marks: dict[str, list[_Came]] = {}
    for each in came:
        if each.fingerprint is not None:
            marks.setdefault(each.fingerprint, []).append(each)
    spans = [(min(c.first for c in rows), max(c.last for c in rows)) for rows in marks.values()]
    followed = all(one[1] < two[0] for one, two in pairwise(spans))  # none of them mixed
    few = any(sum(c.answers for c in rows) < _FEWEST for rows in marks.values())
    if len(marks) < 2 or not followed or few:
        return ""
    return ", then ".join(
        f"fingerprint {mark} ({_counted(rows, several)})" for mark, rows in marks.items()
    )


def _counted(came: Sequence[_Came], several: bool) -> str:
    """How many answers, and of which arms if there are several."""
    counts: Counter[str] = Counter()
    for each in sorted(came, key=_place):
        counts[each.arm] += each.answers
    return ", ".join(
        f"{count:,} of {arm}" if several else f"{count:,}" for arm, count in counts.items()
    )


def _place(came: _Came) -> int:
    return came.place


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
