"""Questions about live calls by version, arm or hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...store.purged_hours import COUNTED, FAILED, JUDGED, LAST_VOTE, LATENCY, OF_CALLS

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "Asked",
    "by_version_and_arm",
    "hours",
    "judged_hours",
    "latency_bins",
    "past_hours",
    "scorers_of_each",
    "tokens",
]

# prompt, env (None: any), since and until (UTC), ids (None: any); scorer (None: any) for scores
Asked = Mapping[str, object]
_WHERE = (
    "prompt = $prompt AND ($env IS NULL OR env = $env) AND started_at >= $since::TIMESTAMP"
    " AND ($until IS NULL OR started_at < $until::TIMESTAMP)"
    " AND ($ids::VARCHAR[] IS NULL OR id IN (SELECT unnest($ids::VARCHAR[])))"
)
_SUMMARY = f"""
WITH shown AS (SELECT * FROM live WHERE {_WHERE}),
of_calls AS ({OF_CALLS.format(calls="shown")}),
given AS (
    SELECT call AS id, {LAST_VOTE} AS good, count(*) AS given
    FROM of_calls GROUP BY call
),
judged AS ({JUDGED.format(calls="shown", which="s.scorer = coalesce($scorer, s.scorer)")})
SELECT version_id, arm, max(version) AS version, count(*) AS calls,
    count(*) FILTER (WHERE {FAILED}) AS failures,
    quantile_cont(latency_ms, 0.5) AS p50_ms, quantile_cont(latency_ms, 0.95) AS p95_ms,
    quantile_cont(first_token_ms, 0.5) AS first_token_ms,
    count(good) AS votes, avg(good) AS good, count(score) AS scored, avg(score) AS score,
    stddev_samp(score) AS spread, min(started_at) AS first_at, max(started_at) AS last_at
FROM shown LEFT JOIN given USING (id) LEFT JOIN judged USING (id)
GROUP BY version_id, arm ORDER BY first_at
"""
_TOKENS = f"""
SELECT version_id, arm, coalesce(model_returned, model) AS model,
    count(*) FILTER (WHERE {COUNTED}) AS known,
    count(*) FILTER (WHERE {FAILED}) AS failed, count(*) AS calls,
    sum(tokens_in) FILTER (WHERE {COUNTED}), sum(tokens_out) FILTER (WHERE {COUNTED}),
    sum(tokens_cached) FILTER (WHERE {COUNTED})
FROM live WHERE {_WHERE} GROUP BY ALL
"""
_JUDGED_HOURS = f"""
WITH shown AS (SELECT * FROM live WHERE {_WHERE}),
judged AS ({JUDGED.format(calls="shown", which="true")})
SELECT date_trunc('hour', started_at) AS hour, version_id, count(score) AS scored,
    avg(score) AS score, stddev_samp(score) AS spread
FROM shown JOIN judged USING (id) GROUP BY 1, 2
"""
_SCORERS = f"""
SELECT version_id, max(version), list(DISTINCT scorer ORDER BY scorer)
FROM live JOIN scores ON run_id = id WHERE {_WHERE} AND value IS NOT NULL
GROUP BY version_id ORDER BY min(started_at)
"""
_BINS = f"""
SELECT $by, histogram({LATENCY}) FROM live
WHERE {_WHERE} AND latency_ms IS NOT NULL GROUP BY ALL
"""
_HOURS = f"""
SELECT * EXCLUDE (ms), ms[1] AS p50_ms, ms[2] AS p95_ms FROM (
    SELECT date_trunc('hour', started_at) AS hour, version_id, max(version) AS version,
        count(*) AS calls, count(*) FILTER (WHERE {FAILED}) AS failures,
        quantile_cont(latency_ms, [0.5, 0.95]) AS ms
    FROM live WHERE {_WHERE} GROUP BY 1, 2
) ORDER BY 1, 2
"""
_PAST_COLUMNS = (
    *("hour", "version_id", "version", "arm", "model", "calls", "failures", "priced", "tokens_in"),
    *("tokens_out", "tokens_cached", "votes", "good", "scored", "score_sum", "score_squares"),
    "latency",
)
_PAST = f"""
SELECT {", ".join(_PAST_COLUMNS)} FROM live_hours
WHERE prompt = $prompt AND ($env IS NULL OR env = $env)
    AND hour >= date_trunc('hour', $since::TIMESTAMP)
    AND ($until IS NULL OR hour < date_trunc('hour', $until::TIMESTAMP)) ORDER BY hour
"""
_BY_VERSION = (
    *("version_id", "arm", "version", "calls", "failures", "p50_ms", "p95_ms", "first_token_ms"),
    *("votes", "good", "scored", "score", "spread", "first_at", "last_at"),
)


def _window(asked: Asked) -> dict[str, object]:
    return {name: asked.get(name) for name in ("prompt", "env", "since", "until", "ids")}


def by_version_and_arm(store: Store, asked: Asked) -> list[dict[str, object]]:
    """One row per version and arm, the first that was called first: how often it was called and
    failed, its latencies, votes and scores.
    """
    found = store.rows(_SUMMARY, {**_window(asked), "scorer": asked.get("scorer")})
    return [dict(zip(_BY_VERSION, row, strict=True)) for row in found]


def tokens(store: Store, asked: Asked) -> list[tuple[Any, ...]]:
    """(version, arm, model, calls with known tokens, failed, calls, tokens in, out, cached)."""
    return list(store.rows(_TOKENS, _window(asked)))


def hours(store: Store, asked: Asked) -> list[tuple[object, ...]]:
    """(hour, version id, version, calls, failures, p50, p95) by hour and version."""
    return list(store.rows(_HOURS, _window(asked)))


def judged_hours(store: Store, asked: Asked) -> list[tuple[object, ...]]:
    """(hour, version, how many were judged, mean score, its spread)."""
    return list(store.rows(_JUDGED_HOURS, _window(asked)))


def scorers_of_each(store: Store, asked: Asked) -> list[tuple[Any, ...]]:
    """(version id, its number, names of the scorers that judged its calls), the first called
    first.
    """
    return list(store.rows(_SCORERS, _window(asked)))


def latency_bins(store: Store, asked: Asked, by: str) -> dict[tuple[object, ...], dict[int, int]]:
    """The calls of each group by latency, as `live_hours` keeps them. by: SQL of the group."""
    found = store.rows(_BINS.replace("$by", by), _window(asked))
    return {tuple(key): counts for *key, counts in found}


def past_hours(store: Store, asked: Asked) -> list[dict[str, object]]:
    """The rows of `live_hours` within the window: what a purge by age left of calls; none of them
    is among given ids.
    """
    if asked.get("ids") is not None:
        return []
    window = _window(asked)
    del window["ids"]
    found = store.rows(_PAST, window)
    return [dict(zip(_PAST_COLUMNS, row, strict=True)) for row in found]
