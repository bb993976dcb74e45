"""Another model behind the same name or address: its answers are mixed with those of the model
before, and nothing else shows it.

Names that came back are compared, and fingerprints where one followed another: a provider that
answers with several at the same time has not changed.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .queries.answerers import answerers_of

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["other_models"]

_FEWEST = 3  # answers of a fingerprint; fewer may have come one after the other by chance


def other_models(store: Store, study: str) -> list[str]:
    """A sentence for each arm whose answers are of more than one model, with the next step."""
    arms: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for arm, asked, *row in answerers_of(store, study):
        arms[str(arm), str(asked)].append(tuple(row))
    found = []
    for (arm, asked), rows in arms.items():
        shown = _told_apart(rows)
        if shown:
            found.append(
                f"answers of {arm} are of more than one model behind {asked!r}: {shown};"
                " evaluate(..., fresh=True) asks all of them again."
            )
    return found


def _told_apart(rows: list[tuple[Any, ...]]) -> str:
    """The models of one arm, oldest first, with their answers; "" if they are one."""
    counts: dict[str, int] = {}
    for returned, _, answers, _, _ in rows:
        counts[returned] = counts.get(returned, 0) + answers
    if len(counts) > 1:
        return ", ".join(f"{name} ({answers:,})" for name, answers in counts.items())
    marked = [row for row in rows if row[1] is not None]
    followed = all(one[4] < two[3] for one, two in pairwise(marked))  # none of them mixed
    if len(marked) < 2 or not followed or any(row[2] < _FEWEST for row in marked):
        return ""
    return ", then ".join(f"fingerprint {row[1]} ({row[2]:,})" for row in marked)
