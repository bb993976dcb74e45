"""What a purge by age leaves of live rows: their figures by hour and version.

The id is of the rows that are summed up, so that a purge which was interrupted, or which two
members of a team carried out on the same rows, counts them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .purges import OF_ANSWERS, Doomed, Named

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = [
    *("BUCKET", "COUNTED", "FAILED", "JUDGED", "LAST_VOTE", "LATENCY", "OF_CALLS"),
    "hours_of",
]

# A failure that the application asked for (it closed the stream) does not count.
FAILED = "(failure IS NOT NULL AND failure NOT IN ('cancelled', 'budget_stop'))"
# Of either id, each by a join of its own: joined by one OR the other, a million calls and 50,000
# votes are compared pair by pair, which takes an hour.
OF_CALLS = """
    SELECT l.id AS call, f.* FROM feedback f JOIN {calls} l ON f.run = l.id
    UNION ALL
    SELECT * FROM ($answers) WHERE call IN (SELECT id FROM {calls})
""".replace("$answers", OF_ANSWERS)
# The mean of a call's scores, each scorer in the version that judged the prompt's calls last: the
# scores of a scorer from before its edit do not count.
JUDGED = """
    SELECT id, avg(value) AS score FROM (
        SELECT l.id, s.value FROM scores s JOIN {calls} l ON s.run_id = l.id WHERE {which}
        QUALIFY s.scorer_version IS NOT DISTINCT FROM coalesce(arg_max(s.scorer_version,
            s.scored_at) OVER (PARTITION BY l.prompt, s.scorer), s.scorer_version)
    ) GROUP BY id
"""
# A person who changes a vote means the last one.
LAST_VOTE = """arg_max(value, ("at", id)) FILTER (WHERE kind = 'good' AND value IS NOT NULL)"""
BUCKET = 1.04  # each step of the latency's histogram is so much wider than the one before
LATENCY = f"floor(ln(greatest(latency_ms, 0.001)) / ln({BUCKET}))::INTEGER"
# gateways write 0 where they do not know: no request has 0, and no text
COUNTED = "tokens_in > 0 AND (tokens_out > 0 OR tokens_out = 0 AND coalesce(chars_out, 0) = 0)"
_HOURS = f"""
WITH gone AS (
    SELECT *, date_trunc('hour', started_at) AS hour, coalesce(model_returned, model) AS named
    FROM live WHERE id IN (SELECT unnest($runs)) AND started_at < $before::TIMESTAMP
),
of_calls AS ({OF_CALLS.format(calls="gone")}),
given AS (SELECT call AS id, {LAST_VOTE} AS good FROM of_calls GROUP BY call),
judged AS ({JUDGED.format(calls="gone", which="true")})
SELECT 'h-' || md5(string_agg(id, ' ' ORDER BY id)) AS id,
    strftime(hour, '%Y-%m-%dT%H:%M:%S') AS hour,
    prompt, version_id, max(version) AS version, env, arm, named AS model, count(*) AS calls,
    count(*) FILTER (WHERE {FAILED}) AS failures, count(*) FILTER (WHERE {COUNTED}) AS priced,
    sum(tokens_in) FILTER (WHERE {COUNTED})::BIGINT AS tokens_in,
    sum(tokens_out) FILTER (WHERE {COUNTED})::BIGINT AS tokens_out,
    sum(tokens_cached) FILTER (WHERE {COUNTED})::BIGINT AS tokens_cached,
    count(good) AS votes, coalesce(sum(good), 0)::BIGINT AS good, count(score) AS scored,
    coalesce(sum(score), 0) AS score_sum, coalesce(sum(score * score), 0) AS score_squares,
    to_json(histogram({LATENCY}) FILTER (WHERE latency_ms IS NOT NULL)) AS latency
FROM gone LEFT JOIN given USING (id) LEFT JOIN judged USING (id)
GROUP BY gone.hour, prompt, version_id, env, arm, named ORDER BY gone.hour
"""


def hours_of(con: Connection, doomed: Doomed, named: Named) -> list[dict[str, object]]:
    """The rows of `live_hours` for those of the doomed that go by their age."""
    before = max(filter(None, (named.before, named.live_before)), default=None)
    if before is None:
        return []
    answer = con.execute(_HOURS, {"runs": sorted(doomed.runs), "before": before})
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
