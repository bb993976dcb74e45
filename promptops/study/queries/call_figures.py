"""Questions about what calls took: money, tokens and time."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...engine.budget import CHARACTERS_PER_TOKEN
from ...engine.prices import cost_of, price_of
from ...run import ids_until_now, utc

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "Began",
    "cost_of_study",
    "failures_of",
    "judge_calls",
    "latency_seen_ms",
    "made_since",
    "spent_since",
    "tokens_seen",
]

_ALL = ("", "~")
# ids count upwards from a chance number of the process, and may begin again from zero
_AMONG = """case when $first <= $last then right(r.id, 16) between $first and $last
    else right(r.id, 16) >= $first or right(r.id, 16) <= $last end"""


@dataclass(frozen=True, slots=True)
class Began:
    """This moment, from which calls are counted, also where the clock is set back meanwhile.

    mark: the ids of this process's calls since then are above it.
    """

    wall: float = field(default_factory=time.time)
    steady: float = field(default_factory=time.monotonic)
    mark: str = field(default_factory=ids_until_now)

    @property
    def moment(self) -> str:
        """UTC: no call since then began earlier by the clock that it was recorded with."""
        since = time.time() - (time.monotonic() - self.steady)
        # the two clocks drift apart by less than a second of themselves
        return utc(since if since < self.wall - 1.0 else self.wall)

    @property
    def ids(self) -> tuple[str, str]:
        """The ends of the ids that this process gave since then, which tell its calls from those of
        other processes in the same store.
        """
        return self.mark, ids_until_now()


def judge_calls(store: Store, versions: Collection[str]) -> tuple[int, float | None]:
    """How often any of these versions was asked as a judge, and what that cost in USD; None if no
    cost is known.
    """
    [(calls, cost)] = store.rows(
        "select count(*), sum(cost_usd) from runs where role = 'judge'"
        " and list_contains(?, version_id)",
        [list(versions)],
    )
    return int(calls), cost


def spent_since(store: Store, moment: str, prices: Mapping[str, object] | None = None) -> float:
    """USD of all calls that began at this moment (UTC) or later. A call without usage counts by its
    characters, since what is unknown is not free; one without a price counts 0.
    """
    rows = store.rows("select coalesce(sum(cost_usd), 0) from runs where started_at >= ?", [moment])
    return float(rows[0][0]) + _guessed_since(store, moment, prices)


def made_since(
    store: Store,
    moment: str,
    prices: Mapping[str, object] | None = None,
    ids: tuple[str, str] = _ALL,
) -> tuple[int, float]:
    """How many calls, retries included, began at this moment (UTC) or later, and their USD as
    `spent_since` counts them; what came in with a file was not called here. ids: `Began.ids`, for
    the calls of this process alone, without those of others who share the store.
    """
    [(calls, usd)] = store.rows(
        "select coalesce(sum(coalesce(attempts, 1)), 0), sum(cost_usd) from runs r"
        " where started_at >= $moment and"
        f" coalesce(role, '') <> 'imported' and {_AMONG}",
        {"moment": moment, "first": ids[0], "last": ids[1]},
    )
    return int(calls), float(usd or 0.0) + _guessed_since(store, moment, prices, ids)


def _guessed_since(
    store: Store,
    moment: str,
    prices: Mapping[str, object] | None,
    ids: tuple[str, str] = _ALL,
) -> float:
    """USD of the attempts that went to a provider and whose cost is unknown, by the tokens that
    are known of them, else by the characters of the request and of the answer.
    """
    rows = store.rows(
        # what was answered by this process itself has no HTTP status
        "select r.model, sum(coalesce(a.tokens_in, length(r.request::varchar) // $each, 0)),"
        " sum(coalesce(a.tokens_out, length(r.output) // $each, 0)) from attempts a"
        " join runs r on r.id = a.run_id where r.started_at >= $moment and a.cost_usd is null and"
        " (a.http_status is not null or a.failure is not null)"
        f" and coalesce(r.role, '') <> 'imported' and {_AMONG} group by r.model",
        {"each": CHARACTERS_PER_TOKEN, "moment": moment, "first": ids[0], "last": ids[1]},
    )
    return sum(
        cost_of(price_of(model, prices), int(sent), int(said)) or 0.0
        for model, sent, said in rows
        if model
    )


def cost_of_study(store: Store, study: str) -> tuple[int, float | None, int]:
    """(answers, USD, how many of them have a price) of a study, each run once; USD is None if none
    has.
    """
    [(answers, usd, priced)] = store.rows(
        "select count(*), sum(r.cost_usd), count(r.cost_usd) from (select distinct run_id from"
        " study_runs where study_id = ?) m join runs r on r.id = m.run_id",
        [study],
    )
    return int(answers), usd, int(priced)


def failures_of(store: Store, study: str) -> list[tuple[str, int, str | None]]:
    """(failure, calls, the message of one of them) of a study's calls that failed and that no later
    run of the study answered, the most frequent first.
    """
    return list(
        store.rows(
            "select r.failure, count(*), any_value(r.failure_detail) from study_runs m join runs r"
            " on r.id = m.run_id where m.study_id = ? and r.failure is not null and not exists"
            " (select 1 from study_runs n join runs a on a.id = n.run_id where a.failure is null"
            " and (n.study_id, n.arm, n.example_id, n.repeat)"
            " = (m.study_id, m.arm, m.example_id, m.repeat))"
            " group by r.failure order by 2 desc, 1",
            [study],
        )
    )


def tokens_seen(store: Store, version: str) -> tuple[float, float] | None:
    """The 10th and 95th percentile of the tokens of a version's answers; None if none is known."""
    [(low, high)] = store.rows(
        "select quantile_cont(tokens_out, .1), quantile_cont(tokens_out, .95) from runs where"
        " version_id = ?",
        [version],
    )
    return None if low is None else (float(low), float(high))


def latency_seen_ms(store: Store, endpoint: str) -> float | None:
    """The median latency of an endpoint; None if it was never asked."""
    [(median,)] = store.rows("select median(latency_ms) from runs where endpoint = ?", [endpoint])
    return None if median is None else float(median)
