"""Figures of live calls by version and by hour: what the rows give, with their cost and with what
a purge left of earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.prices import cost_of, price_of
from .live_past import with_past
from .queries.live_groups import (
    by_version_and_arm,
    hours,
    judged_hours,
    latency_bins,
    past_hours,
    scorers_of_each,
    tokens,
)

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["by_hour", "by_version", "unlike_scorers"]


def by_version(
    store: Store, asked: Mapping[str, object], prices: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """One row per version and arm, the first that was called first.

    asked: prompt, env, since, scorer, and until where the window ends. cost_usd is of the calls
    whose tokens and price are known, `priced` of them; null if none is.
    """
    rows = by_version_and_arm(store, asked)
    costs: dict[tuple[object, object], tuple[float, int]] = {}
    if rows:
        for version, arm, model, known, _, _, given, got, cached in tokens(store, asked):
            cost = cost_of(price_of(model or "", prices), given, got, cached) if known else None
            if cost is not None:
                before = costs.get((version, arm), (0.0, 0))
                costs[version, arm] = (before[0] + cost, before[1] + known)
    for row in rows:
        row["cost_usd"], row["priced"] = costs.get((row["version_id"], row["arm"]), (None, 0))
    past = past_hours(store, asked)
    if not past:
        return rows
    bins = latency_bins(store, asked, "version_id, arm")
    found = with_past(rows, past, bins, ("version_id", "arm"), prices)
    return sorted(found, key=lambda row: row["first_at"])


def unlike_scorers(store: Store, asked: Mapping[str, object]) -> str:
    """A note if not the same scorers judged each version: their qualities compare nothing."""
    found = scorers_of_each(store, asked)
    if len({tuple(scorers) for _, _, scorers in found}) < 2:
        return ""
    each = "; ".join(
        f"{f'v{number}' if number else str(version)[:11]} by {', '.join(scorers)}"
        for version, number, scorers in found
    )
    return (
        f"The quality is a mean over scorers, and they are not the same for each version: {each}."
    )


def by_hour(
    store: Store, asked: Mapping[str, object], *, quality: bool = False
) -> list[dict[str, object]]:
    """One row per hour and version: calls, failures, p50 and p95; with `quality` also how many were
    judged, their mean score and its spread, which takes as long again.
    """
    names = ("hour", "version_id", "version", "calls", "failures", "p50_ms", "p95_ms")
    known = judged_hours(store, asked) if quality else []
    judged = {(hour, version): scores for hour, version, *scores in known}
    rows = []
    for row in hours(store, asked):
        scores = judged.get((row[0], row[1]), (0, None, None))
        rows.append(dict(zip((*names, "scored", "score", "spread"), (*row, *scores), strict=True)))
    past = past_hours(store, asked)
    if not past:
        return rows
    bins = latency_bins(store, asked, "date_trunc('hour', started_at), version_id")
    found = with_past(rows, past, bins, ("hour", "version_id"), None)
    return sorted(found, key=lambda row: (row["hour"], str(row["version_id"])))
