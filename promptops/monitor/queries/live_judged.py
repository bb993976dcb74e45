"""Questions about scores and votes of live calls, and about examples that were made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...store.purged_hours import OF_CALLS
from .live_listing import IN_DAYS, SHARE_OF

if TYPE_CHECKING:
    from datetime import datetime

    from ...store import Store

__all__ = [
    "examples_among",
    "feedback_not_labelled",
    "judged_calls",
    "scored_by_all",
    "values_kept",
]


def values_kept(store: Store, calls: Sequence[str]) -> list[str]:
    """The values of these calls as JSON, of those whose content was kept."""
    sql = 'SELECT "values" FROM live WHERE id IN (SELECT unnest($calls)) AND "values" IS NOT NULL'
    return [str(text) for (text,) in store.rows(sql, {"calls": list(calls)})]


def examples_among(store: Store, ids: Sequence[str]) -> list[str]:
    """Those of these ids that a recorded example has."""
    sql = "SELECT DISTINCT example_id FROM examples WHERE example_id IN (SELECT unnest($ids))"
    return sorted(str(id_) for (id_,) in store.rows(sql, {"ids": list(ids)}))


def scored_by_all(
    store: Store, calls: Sequence[str], scorers: Sequence[tuple[str, str]]
) -> set[str]:
    """Ids of the calls that each of these scorers, (name, version), has judged."""
    sql = (
        "SELECT run_id FROM scores WHERE run_id IN (SELECT unnest($ids)) AND value IS NOT NULL"
        " AND list_contains($names, split_part(scorer, '/', 1) || '|' || scorer_version)"
        " GROUP BY run_id HAVING count(DISTINCT split_part(scorer, '/', 1)) >= $most"
    )
    names = [f"{name}|{version}" for name, version in scorers]
    asked = {"ids": list(calls), "names": names, "most": len(names)}
    return {run for (run,) in store.rows(sql, asked)}


def judged_calls(
    store: Store,
    whose: tuple[str, str],
    days: tuple[str, str],
    scorer: tuple[str, str],
    share: float,
) -> list[tuple[str, int, float, dict[str, Any]]]:
    """(day, characters of the inputs, latest score from 0 to 1, the row's id, session, service and
    kept) of the live rows of the share that a scorer has judged, oldest first. What somebody scored
    beside the share was chosen by other reasons, such as its failure.

    whose: prompt and environment; days: the first and the last (UTC); scorer: name and version.
    """
    sql = (
        "SELECT strftime(started_at, '%Y-%m-%d'), coalesce(chars_in, 0),"
        " arg_max(coalesce(passed::DOUBLE, value), scored_at),"
        " {'id': live.id, 'session': any_value(session), 'service': any_value(service),"
        " 'kept': any_value(kept)}"
        " FROM live JOIN scores ON run_id = live.id"
        f" WHERE live.prompt = $prompt AND env = $env AND {IN_DAYS}"
        " AND scorer = $name AND scorer_version = $version"
        f" AND {SHARE_OF} < $share * 4294967296"
        " AND coalesce(passed::DOUBLE, value) BETWEEN 0 AND 1"
        " GROUP BY live.id, started_at, chars_in ORDER BY started_at, live.id"
    )
    asked = dict(zip(("prompt", "env", "first", "last"), (*whose, *days), strict=True))
    found: dict[str, object] = {"name": scorer[0], "version": scorer[1], "share": share}
    return list(store.rows(sql, {**asked, **found}))


def feedback_not_labelled(
    store: Store, calls: Sequence[str]
) -> list[tuple[str, str, str, float, str | None, str, datetime]]:
    """(id, call, kind, value, note, by, when) of the votes and scores on these calls that are not
    labels yet.
    """
    sql = (
        f"WITH of_calls AS ({OF_CALLS.format(calls='live')}) SELECT id, call, kind, value, note,"
        ' coalesce("by", \'user\'), "at" FROM of_calls'
        " WHERE call IN (SELECT unnest($runs)) AND kind IN ('good', 'score')"
        " AND value BETWEEN 0 AND 1 AND 'b-' || id NOT IN (SELECT id FROM labels) ORDER BY id"
    )
    return list(store.rows(sql, {"runs": list(calls)}))
