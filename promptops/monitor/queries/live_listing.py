"""Questions about live calls one by one: which there are, and the rows under a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...store.purged_hours import JUDGED, LAST_VOTE, OF_CALLS

if TYPE_CHECKING:
    from datetime import datetime

    from pandas import DataFrame

    from ...store import Store

__all__ = [
    "IN_DAYS",
    "LIVE_TABLES",
    "SHARE_OF",
    "answered_by_day",
    "chosen",
    "chosen_ids",
    "folders_taken",
    "kept_shares",
    "live_count",
    "losses",
    "newest_of_each",
    "prompts",
    "purged_before",
    "rows_held",
    "sampled_calls",
    "taken_of_each",
]

Hour = tuple[str | None, str | None, str]
LIVE_TABLES = ("live", "feedback", "live_losses")
# of one pass over the live rows; a whole day is not read into Python where its share will do
IN_DAYS = "started_at >= $first::DATE AND started_at < $last::DATE + 1"
SHARE_OF = "('0x' || left(sha256('score' || chr(10) || id), 8))::UBIGINT"
_MOST = 100_000  # rows of one look
_ROWS = f"""
WITH of_calls AS ({OF_CALLS.format(calls="live")}),
given AS (
    SELECT call AS given_id, {LAST_VOTE} AS good,
        arg_max(correction, "at") FILTER (WHERE correction IS NOT NULL) AS correction,
        arg_max(value, "at") FILTER (WHERE kind = 'score') AS rating,
        arg_max(label, "at") FILTER (WHERE label IS NOT NULL) AS label
    FROM of_calls GROUP BY call
),
judged AS ({JUDGED.format(calls="live", which="true")})
SELECT l.*, good, correction, rating, label, score
FROM live l LEFT JOIN given ON given_id = l.id LEFT JOIN judged ON judged.id = l.id
"""


def live_count(store: Store) -> tuple[int, int]:
    """How many live rows and how much feedback there is."""
    sql = "SELECT (SELECT count(*) FROM live), (SELECT count(*) FROM feedback)"
    [(calls, text)] = store.rows(sql)
    return int(calls), int(text)


def prompts(store: Store) -> list[tuple[str, str | None]]:
    """(prompt, environment) of all live rows that name a prompt, the newest called first."""
    sql = (
        "SELECT prompt, env FROM live WHERE prompt IS NOT NULL GROUP BY prompt, env"
        " ORDER BY max(started_at) DESC"
    )
    return [(name, env) for name, env in store.rows(sql)]


def sampled_calls(store: Store, prompt: str, env: str, day: str, share: float) -> DataFrame:
    """The live rows of a day (UTC) that a share chooses, as `score_live` takes and chooses them."""
    query = (
        f"SELECT * FROM ({_ROWS}) WHERE prompt = $prompt AND env = $env AND {IN_DAYS}"
        f" AND {SHARE_OF} < $share * 4294967296 ORDER BY started_at, id"
    )
    asked = {"prompt": prompt, "env": env, "first": day, "last": day, "share": share}
    return store.frame(query, asked)


def kept_shares(
    store: Store, prompt: str, env: str, first: str, last: str
) -> list[tuple[str, str | None, float]]:
    """(day, service, the share of its calls whose content was kept) from `first` to `last` (UTC),
    in order; of failures all are kept, whatever the share is.
    """
    query = (
        "SELECT strftime(started_at, '%Y-%m-%d') AS day, service, min(kept) FROM live"
        f" WHERE prompt = $prompt AND env = $env AND {IN_DAYS} AND kept IS NOT NULL"
        " AND coalesce(failure, 'cancelled') = 'cancelled' GROUP BY day, service ORDER BY day"
    )
    asked = {"prompt": prompt, "env": env, "first": first, "last": last}
    return list(store.rows(query, asked))


def answered_by_day(
    store: Store, prompt: str, env: str, first: str, last: str
) -> list[tuple[str, str, str]]:
    """(day, model that came back, fingerprint) of the live rows from `first` to `last` (UTC), of
    each day the most frequent first.
    """
    query = (
        f"SELECT strftime(started_at, '%Y-%m-%d') AS day, coalesce(model_returned, '') AS returned,"
        f" coalesce(system_fingerprint, '') AS mark FROM live"
        f" WHERE prompt = $prompt AND env = $env AND {IN_DAYS}"
        " GROUP BY day, returned, mark ORDER BY day, count(*) DESC, min(started_at)"
    )
    asked = {"prompt": prompt, "env": env, "first": first, "last": last}
    return list(store.rows(query, asked))


def losses(store: Store, since: str) -> int:
    """Rows that applications could not record since then."""
    sql = 'SELECT coalesce(sum(rows), 0) FROM live_losses WHERE "at" >= ?::TIMESTAMP'
    return int(store.rows(sql, [since])[0][0])


def chosen(
    store: Store, asked: Mapping[str, object], condition: str, most: int | None = None
) -> DataFrame:
    """The newest `most` rows that meet the user's own SQL condition, newest first, with `good`,
    `correction`, `rating`, `label` and `score`; None: at most 100,000.

    The condition reads; it reaches no file, extension or setting. Raises StoreError for one that is
    not a condition.
    """
    # in the query: rows beyond it, and their contents, are not read out at all
    few = "" if most is None else f" LIMIT {min(max(int(most), 0), _MOST)}"
    query = f"{_choice(asked, condition)} ORDER BY started_at DESC{few}"
    return store.sql(query, limit=_MOST)


def _choice(asked: Mapping[str, object], condition: str) -> str:
    shown = {name: _literal(asked[name]) for name in ("prompt", "env", "since")}
    where = (
        f"prompt = {shown['prompt']} AND ({shown['env']} IS NULL OR env = {shown['env']})"
        f" AND started_at >= {shown['since']}::TIMESTAMP"
    )
    return f"SELECT * FROM ({_ROWS}) WHERE {where} AND (\n{condition}\n)"


def chosen_ids(store: Store, asked: Mapping[str, object], condition: str) -> list[str]:
    """The ids of the rows that meet the condition, however many; see `chosen`."""
    found = store.sql(f"SELECT id FROM ({_choice(asked, condition)})", limit=100_000_000)
    return [str(each) for each in found["id"]]


def newest_of_each(store: Store, prompt: str) -> list[tuple[str | None, datetime]]:
    """(environment, when it was called last) of a prompt."""
    sql = "SELECT env, max(started_at) FROM live WHERE prompt = ? GROUP BY env ORDER BY env"
    return list(store.rows(sql, [prompt]))


def folders_taken(store: Store) -> list[str]:
    """The folders and files from which live rows were ever taken."""
    sql = "SELECT DISTINCT folder FROM live_sources WHERE folder IS NOT NULL ORDER BY folder"
    return [name for (name,) in store.rows(sql)]


def taken_of_each(store: Store) -> dict[str, int]:
    """segment -> how many of its bytes were taken."""
    return dict(store.rows("SELECT source, max(bytes) FROM live_sources GROUP BY source"))


def purged_before(store: Store) -> tuple[frozenset[str], str, frozenset[Hour]]:
    """What purges removed: the marks of single rows, until when they went by their age ("" for
    never), and the (prompt, environment, hour) of those.
    """
    marks = store.rows("SELECT id FROM purged_calls WHERE until IS NULL")
    sql = "SELECT coalesce(strftime(max(until), '%Y-%m-%dT%H:%M:%S.%f'), '') FROM purged_calls"
    [(until,)] = store.rows(sql)
    sql = "SELECT DISTINCT prompt, env, strftime(hour, '%Y-%m-%dT%H') FROM live_hours"
    hours = store.rows(sql) if until else []
    return frozenset(mark for (mark,) in marks), str(until), frozenset(hours)


def rows_held(store: Store) -> int:
    """How many rows all tables of live calls have together."""
    sums = " + ".join(f"(SELECT count(*) FROM {table})" for table in LIVE_TABLES)
    return int(store.rows(f"SELECT {sums}")[0][0])


def _literal(value: object) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else "'" + str(value).replace("'", "''") + "'"
