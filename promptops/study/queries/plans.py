"""Questions about plans and about how often a split was used to decide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "frozen_at",
    "is_judged",
    "judged_pairs",
    "plan_document",
    "searches_of",
    "seed_of_plan",
]


def plan_document(store: Store, plan: str) -> tuple[dict[str, object], str] | None:
    """(document, when it was frozen) of a plan; None if the store does not know it."""
    rows = store.rows("select document, min(created_at) from plans where id = ? group by 1", [plan])
    return (json.loads(rows[0][0]), str(rows[0][1])) if rows else None


def frozen_at(store: Store, plan: str) -> str | None:
    """When a plan was first frozen; None if it never was."""
    found = store.rows("select min(created_at) from plans where id = ?", [plan])[0][0]
    return str(found) if found else None


def seed_of_plan(store: Store, plan: str) -> str | None:
    """The id of the seed whose search froze this plan; None if no search did."""
    rows = store.rows("select seed_version from optimizations where plan_id = ? limit 1", [plan])
    return str(rows[0][0]) if rows else None


def searches_of(store: Store, version: str) -> list[tuple[str, tuple[str, ...]]]:
    """(id, fingerprints of train and val) of each search that made or chose a version; not of one
    that only began with it.
    """
    rows = store.rows(
        "select o.id, o.design from candidates c join optimizations o on o.id = c.optimization_id"
        " where c.version_id = ? and c.number > 0 order by o.created_at, o.id",
        [version],
    )
    return [(str(id_), tuple(json.loads(design)["splits"].values())) for id_, design in rows]


def judged_pairs(store: Store, dataset: str, split: str | None) -> list[tuple[str, str | None]]:
    """The distinct (candidate, baseline) pairs that these rows of a dataset have judged."""
    return list(
        store.rows(
            "select distinct candidate, baseline from verdicts "
            "where dataset = ? and split is not distinct from ?",
            [dataset, split],
        )
    )


def is_judged(store: Store, study: str, candidate: str, baseline: str | None) -> bool:
    """Whether a verdict on this pair of a study is recorded."""
    return bool(
        store.rows(
            "select 1 from verdicts where study_id = ? and candidate = ? "
            "and baseline is not distinct from ? and env is null limit 1",
            [study, candidate, baseline],
        )
    )
