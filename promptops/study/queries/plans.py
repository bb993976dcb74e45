"""Questions about plans and about how often a split was used to decide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..study_record import splits_in

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "ancestors_of",
    "asked_by",
    "candidates_of",
    "frozen_at",
    "is_judged",
    "judged_pairs",
    "plan_document",
    "searches",
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


def searches(store: Store) -> list[tuple[str, str, tuple[str, ...]]]:
    """(id, id of the seed, fingerprints of train and val) of all searches, oldest first."""
    rows = store.rows("select id, seed_version, design from optimizations order by created_at, id")
    return [(str(id_), str(seed), splits_in(design)) for id_, seed, design in rows]


def asked_by(store: Store, study: str) -> tuple[list[str], str]:
    """(ids of the versions, fingerprint of the dataset) of a study; nothing if there is none."""
    rows = store.rows("select design->>'$.dataset.fingerprint' from studies where id = ?", [study])
    found = store.rows("select distinct version_id from study_runs where study_id = ?", [study])
    return sorted(str(id_) for (id_,) in found), str(rows[0][0]) if rows else ""


def candidates_of(store: Store, search: str) -> list[str]:
    """The ids of the versions that a search made or was given, without its seed."""
    rows = store.rows(
        "select version_id from candidates where optimization_id = ? and number > 0"
        " order by number",
        [search],
    )
    return [str(id_) for (id_,) in rows]


def ancestors_of(store: Store, version: str, until: str | None) -> set[str]:
    """The ids of a version and of those that it was made from, as far as that is recorded.

    until: a version that is left out, and with it what it was made from.
    """
    found, new = {version}, [version]
    while new:
        rows = store.rows("select parents from versions where id = any(?)", [new])
        new = list({id_ for (ids,) in rows for id_ in _texts_in(ids)} - found - {until})
        found.update(new)
    return found


def _texts_in(document: str | None) -> list[str]:
    found = json.loads(document or "null")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


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
