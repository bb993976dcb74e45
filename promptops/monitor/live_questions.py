"""What is asked of live rows: figures by version, by hour, and the rows themselves under a
condition of the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.prices import cost_of, price_of
from ..store.purged_hours import FAILED, LATENCY, OF_CALLS
from .live_past import past_hours, with_past

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..store import Store
    from ..study.project import Project

__all__ = [
    "by_hour",
    "by_version",
    "chosen",
    "live_count",
    "losses",
    "prompts",
    "rows_of",
    "scored_calls",
]

_WHERE = (
    "prompt = $prompt AND ($env IS NULL OR env = $env) AND started_at >= $since::TIMESTAMP"
    " AND ($until IS NULL OR started_at < $until::TIMESTAMP)"
)
_SUMMARY = f"""
WITH shown AS (SELECT * FROM live WHERE {_WHERE}),
of_calls AS ({OF_CALLS.format(calls="shown")}),
given AS (
    SELECT call AS id, max(value) FILTER (WHERE kind = 'good') AS good, count(*) AS given
    FROM of_calls GROUP BY call
),
judged AS (
    SELECT run_id AS id, avg(value) AS score FROM scores
    WHERE run_id IN (SELECT id FROM shown) AND scorer = coalesce($scorer, scorer)
    GROUP BY run_id
)
SELECT version_id, arm, max(number) AS number, count(*) AS calls,
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
    count(*) FILTER (WHERE tokens_in IS NOT NULL AND tokens_out IS NOT NULL) AS known,
    count(*) FILTER (WHERE {FAILED}) AS failed, count(*) AS calls,
    sum(tokens_in), sum(tokens_out), sum(tokens_cached)
FROM live WHERE {_WHERE} GROUP BY ALL
"""
_JUDGED_HOURS = f"""
WITH judged AS (SELECT run_id AS id, avg(value) AS score FROM scores GROUP BY run_id)
SELECT date_trunc('hour', started_at) AS hour, version_id, count(score) AS scored,
    avg(score) AS score, stddev_samp(score) AS spread
FROM live JOIN judged USING (id) WHERE {_WHERE} GROUP BY 1, 2
"""
_BINS = f"""
SELECT $by, histogram({LATENCY}) FROM live
WHERE {_WHERE} AND latency_ms IS NOT NULL GROUP BY ALL
"""
_HOURS = f"""
SELECT * EXCLUDE (ms), ms[1] AS p50_ms, ms[2] AS p95_ms FROM (
    SELECT date_trunc('hour', started_at) AS hour, version_id, max(number) AS number,
        count(*) AS calls, count(*) FILTER (WHERE {FAILED}) AS failures,
        quantile_cont(latency_ms, [0.5, 0.95]) AS ms
    FROM live WHERE {_WHERE} GROUP BY 1, 2
) ORDER BY 1, 2
"""
_ROWS = f"""
WITH of_calls AS ({OF_CALLS.format(calls="live")}),
given AS (
    SELECT call AS given_id, max(value) FILTER (WHERE kind = 'good') AS good,
        arg_max(correction, "at") FILTER (WHERE correction IS NOT NULL) AS correction,
        max(value) FILTER (WHERE kind = 'score') AS rating,
        arg_max(label, "at") FILTER (WHERE label IS NOT NULL) AS label
    FROM of_calls GROUP BY call
),
judged AS (SELECT run_id, avg(value) AS score FROM scores GROUP BY run_id)
SELECT l.*, good, correction, rating, label, score
FROM live l LEFT JOIN given ON given_id = l.id LEFT JOIN judged ON run_id = l.id
"""


def by_version(
    store: Store, asked: Mapping[str, object], prices: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """One row per version and arm, the first that was called first.

    asked: prompt, env, since, scorer, and until where the window ends. cost_usd is of the calls
    whose tokens and price are known, `priced` of them; null if none is.
    """
    names = "version_id arm number calls failures p50_ms p95_ms first_token_ms votes good scored"
    listed = [*names.split(), "score", "spread", "first_at", "last_at"]
    rows = [
        dict(zip(listed, row, strict=True))
        for row in store.rows(_SUMMARY, {"until": None, **asked})
    ]
    costs: dict[tuple[Any, Any], tuple[float, int]] = {}
    if rows:
        rest = {name: asked.get(name) for name in ("prompt", "env", "since", "until")}
        for version, arm, model, known, _, _, given, got, cached in store.rows(_TOKENS, rest):
            cost = cost_of(price_of(model or "", prices), given, got, cached) if known else None
            if cost is not None:
                before = costs.get((version, arm), (0.0, 0))
                costs[version, arm] = (before[0] + cost, before[1] + known)
    for row in rows:
        row["cost_usd"], row["priced"] = costs.get((row["version_id"], row["arm"]), (None, 0))
    past = past_hours(store, asked)
    if not past:
        return rows
    bins = _bins(store, asked, "version_id, arm")
    found = with_past(rows, past, bins, ("version_id", "arm"), prices)
    return sorted(found, key=lambda row: row["first_at"])


def by_hour(
    store: Store, asked: Mapping[str, object], *, quality: bool = False
) -> list[dict[str, Any]]:
    """One row per hour and version: calls, failures, p50 and p95; with `quality` also how many were
    judged, their mean score and its spread, which takes as long again.
    """
    names = ("hour", "version_id", "number", "calls", "failures", "p50_ms", "p95_ms")
    rest = {name: asked.get(name) for name in ("prompt", "env", "since", "until")}
    known = store.rows(_JUDGED_HOURS, rest) if quality else []
    judged = {(hour, version): scores for hour, version, *scores in known}
    rows = []
    for row in store.rows(_HOURS, rest):
        scores = judged.get((row[0], row[1]), (0, None, None))
        rows.append(dict(zip((*names, "scored", "score", "spread"), (*row, *scores), strict=True)))
    past = past_hours(store, asked)
    if not past:
        return rows
    bins = _bins(store, asked, "date_trunc('hour', started_at), version_id")
    found = with_past(rows, past, bins, ("hour", "version_id"), None)
    return sorted(found, key=lambda row: (row["hour"], str(row["version_id"])))


def _bins(
    store: Store, asked: Mapping[str, object], by: str
) -> dict[tuple[Any, ...], dict[int, int]]:
    """The calls of each group by latency, as `live_hours` keeps them."""
    rest = {name: asked.get(name) for name in ("prompt", "env", "since", "until")}
    return {tuple(key): counts for *key, counts in store.rows(_BINS.replace("$by", by), rest)}


def live_count(project: Project) -> tuple[int, int]:
    """How many live rows and how much feedback there is."""
    sql = "SELECT (SELECT count(*) FROM live), (SELECT count(*) FROM feedback)"
    [(calls, text)] = project.store.rows(sql)
    return int(calls), int(text)


def prompts(store: Store) -> list[tuple[str, str | None]]:
    """(prompt, environment) of all live rows that name a prompt, the newest called first."""
    sql = (
        "SELECT prompt, env FROM live WHERE prompt IS NOT NULL GROUP BY prompt, env"
        " ORDER BY max(started_at) DESC"
    )
    return [(name, env) for name, env in store.rows(sql)]


def scored_calls(
    store: Store, prompt: str, env: str, first: str, last: str
) -> list[dict[str, Any]]:
    """The live rows of the days from `first` to `last` (UTC), as `score_live` takes them."""
    frame = store.sql(
        f"SELECT * FROM ({_ROWS}) WHERE prompt = {_literal(prompt)} AND env = {_literal(env)}"
        f" AND started_at::DATE BETWEEN {_literal(first)}::DATE AND {_literal(last)}::DATE"
        " ORDER BY started_at, id",
        limit=1_000_000,
    )
    return rows_of(frame)


def losses(store: Store, since: str) -> int:
    """Rows that applications could not record since then."""
    sql = 'SELECT coalesce(sum(rows), 0) FROM live_losses WHERE "at" >= ?::TIMESTAMP'
    return int(store.rows(sql, [since])[0][0])


def chosen(store: Store, asked: Mapping[str, object], condition: str) -> DataFrame:
    """The rows that meet the user's own SQL condition, newest first, with `good`, `correction`,
    `rating`, `label` and `score`.

    The condition reads; it reaches no file, extension or setting. Raises StoreError for one that is
    not a condition.
    """
    shown = {name: _literal(asked[name]) for name in ("prompt", "env", "since")}
    where = (
        f"prompt = {shown['prompt']} AND ({shown['env']} IS NULL OR env = {shown['env']})"
        f" AND started_at >= {shown['since']}::TIMESTAMP"
    )
    query = f"SELECT * FROM ({_ROWS}) WHERE {where} AND (\n{condition}\n) ORDER BY started_at DESC"
    return store.sql(query, limit=100_000)


def rows_of(found: DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts, unknown as None."""
    import pandas as pd

    return [
        {str(name): None if _missing(pd, value) else value for name, value in row.items()}
        for row in found.to_dict("records")
    ]


def _missing(pandas: Any, value: Any) -> bool:
    return bool(not isinstance(value, (Sequence, Mapping)) and pandas.isna(value))


def _literal(value: object) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else "'" + str(value).replace("'", "''") + "'"
