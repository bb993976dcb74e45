"""Scorers asked again where they failed: a network that was down, a helper that was broken and is
fixed.

A row of the store is never changed, so what was judged well is carried over to a further version of
the scorer ("s-1a2b3c4d+1"), under which only the rest is judged. Where nothing failed the version
stays as it is, so a cell that runs again asks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import ScorerError
from .queries.scorer_rows import scores_in_study

if TYPE_CHECKING:
    from ..scorers.case import Scorer
    from .recorded_study import RecordedStudy

__all__ = ["for_retry"]


def for_retry(study: RecordedStudy, scorer: Scorer) -> Scorer:
    """The scorer as the scorer_version whose failed judgements are open; itself where none of its
    judgements of this study failed.

    Failed: unscored by an exception of the scorer (`scorer_error`). Raises ScorerError for a scorer
        whose version cannot be set.
    """
    store, number = study.project.store, 0
    before: list[dict[str, object]] = []
    while True:
        scorer_version = f"{scorer.version}+{number}" if number else scorer.version
        rows = scores_in_study(store, study.id, scorer.name, scorer_version)
        failed = {_place(row) for row in rows if _failed(row)}
        if (
            not rows and before
        ):  # nobody judged under it yet: it begins with what the last one judged well
            lost = {_place(row) for row in before if _failed(row)}
            store.append(
                "scores",
                [
                    {**row, "scorer_version": scorer_version}
                    for row in before
                    if _place(row) not in lost
                ],
            )
        if not failed:
            return _as_version(scorer, scorer_version) if number else scorer
        before, number = rows, number + 1


def _as_version(scorer: Any, scorer_version: str) -> Scorer:
    try:
        found: Scorer = replace(scorer, version=scorer_version)
    except TypeError:
        raise ScorerError(
            f"{scorer.name} is not a scorer of promptops; give it another version yourself, and"
            f" pass"
            " that one."
        ) from None
    return found


def _place(row: Mapping[str, object]) -> tuple[object, object]:
    return row["run_id"], row["example_fingerprint"]


def _failed(row: Mapping[str, object]) -> bool:
    return str(row["unscored"] or "").startswith("scorer_error")
