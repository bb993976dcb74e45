"""Figures of live calls whose rows are gone: what a purge by age left of them by hour, added to the
figures of the rows that are there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.prices import cost_of, price_of
from ..store.purged_hours import BUCKET

__all__ = ["with_past"]

Row = dict[str, Any]
Bins = Mapping[tuple[object, ...], Mapping[int, int]]


def with_past(
    rows: Sequence[Row],
    past: Sequence[Row],
    bins: Bins,
    by: Sequence[str],
    prices: Mapping[str, object] | None,
) -> list[Row]:
    """The rows with what is past added to each, or as rows of their own.

    Args:
        rows: one per group.
        past: of `past_hours`.
        bins: group -> the calls of its rows by latency.
        by: names of the columns that make a group.
        prices: the project's own.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for hour in past:
        groups.setdefault(tuple(hour[name] for name in by), []).append(hour)
    found = []
    for row in rows:
        key = tuple(row[name] for name in by)
        gone = groups.pop(key, [])
        found.append(_added(row, gone, bins.get(key, {}), prices) if gone else row)
    for key, gone in groups.items():
        fresh: Row = dict(zip(by, key, strict=True))
        found.append(_added(fresh, gone, {}, prices))
    return found


def _added(
    row: Row, gone: Sequence[Row], bins: Mapping[int, int], prices: Mapping[str, object] | None
) -> Row:
    """One group's row; columns that a summary cannot have stay as they are, or unknown."""
    out = {"first_token_ms": None, "priced": 0, "cost_usd": None, **row}
    versions = [row.get("version"), *(hour["version"] for hour in gone)]
    out["version"] = max(filter(None, versions), default=None)
    for name in ("calls", "failures"):
        out[name] = (row.get(name) or 0) + sum(hour[name] for hour in gone)
    counts = dict(bins)
    for hour in gone:
        for place, calls in json.loads(hour["latency"] or "{}").items():
            counts[int(place)] = counts.get(int(place), 0) + calls
    out["p50_ms"], out["p95_ms"] = _quantile(counts, 0.5), _quantile(counts, 0.95)
    votes = row.get("votes") or 0
    good = (row.get("good") or 0.0) * votes + sum(hour["good"] for hour in gone)
    out["votes"] = votes + sum(hour["votes"] for hour in gone)
    out["good"] = good / out["votes"] if out["votes"] else None
    out.update(_scores(row, gone))
    for hour in gone:
        given = hour["tokens_in"], hour["tokens_out"], hour["tokens_cached"]
        cost = cost_of(price_of(hour["model"] or "", prices), *given) if hour["priced"] else None
        if cost is not None:
            out["cost_usd"] = (out["cost_usd"] or 0.0) + cost
            out["priced"] += hour["priced"]
    hours = [hour["hour"] for hour in gone]
    out["first_at"] = min(filter(None, [row.get("first_at"), *hours]))
    out["last_at"] = max(filter(None, [row.get("last_at"), *hours]))
    return out


def _scores(row: Row, gone: Sequence[Row]) -> Row:
    """scored, score and spread of both together, by sums and sums of squares."""
    n, mean, spread = row.get("scored") or 0, row.get("score") or 0.0, row.get("spread") or 0.0
    total = n * mean + sum(hour["score_sum"] for hour in gone)
    squares = n * mean**2 + max(n - 1, 0) * spread**2 + sum(h["score_squares"] for h in gone)
    n += sum(hour["scored"] for hour in gone)
    if not n:
        return {"scored": 0, "score": None, "spread": None}
    variance = max(squares - total**2 / n, 0.0) / (n - 1) if n > 1 else None
    return {"scored": n, "score": total / n, "spread": None if variance is None else variance**0.5}


def _quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The middle of the step of the histogram that holds the quantile."""
    wanted = share * sum(counts.values())
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= wanted:
            return float(BUCKET ** (place + 0.5))
    return None
