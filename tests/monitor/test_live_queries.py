"""Law: each question about live calls is asked in one place, and answered right by a few rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from promptops.monitor.live_score import _in_share
from promptops.monitor.queries.live_groups import (
    by_version_and_arm,
    hours,
    judged_hours,
    latency_bins,
    past_hours,
    tokens,
)
from promptops.monitor.queries.live_judged import (
    feedback_not_labelled,
    judged_calls,
    scored_by_all,
)
from promptops.monitor.queries.live_listing import (
    chosen,
    folders_taken,
    live_count,
    losses,
    newest_of_each,
    prompts,
    rows_held,
    sampled_calls,
    taken_of_each,
)
from promptops.store import Store

ASKED = {"prompt": "p", "env": "prod", "since": "2026-07-01T00:00:00"}


def at(minute: int) -> str:
    return f"2026-07-01T10:{minute:02}:00.000000Z"


def call(name: str, minute: int, **more: Any) -> dict[str, Any]:
    base = {"prompt": "p", "env": "prod", "version_id": "v1", "arm": "stable", "version": 1}
    return {**base, "id": name, "started_at": at(minute), **more}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three calls of p in prod, one of them failed and one of a canary, and one elsewhere."""
    made = Store(tmp_path_factory.mktemp("project") / "store")
    made.append(
        "live",
        [
            call("l-1", 1, latency_ms=100.0, model="m", tokens_in=5, tokens_out=2),
            call("l-2", 2, latency_ms=300.0, model="m", failure="timeout"),
            call("l-3", 3, version_id="v2", arm="canary", version=2, model="m"),
            call("l-4", 4, env="dev"),
        ],
    )
    score = {"example_fingerprint": "x", "scorer_version": "1", "scored_at": at(9)}
    made.append(
        "scores",
        [
            {**score, "run_id": "l-1", "scorer": "exact", "value": 1.0},
            {**score, "run_id": "l-1", "scorer": "brief", "value": 0.5},
            {**score, "run_id": "l-3", "scorer": "exact", "value": 0.0},
        ],
    )
    made.append(
        "feedback",
        [
            {"id": "f-1", "run": "l-1", "kind": "good", "value": 1.0, "at": at(20)},
            {"id": "f-2", "run": "l-3", "kind": "score", "value": 7.0, "at": at(21)},
        ],
    )
    made.append("live_losses", [{"id": "n-1", "at": at(30), "rows": 4, "reason": "full"}])
    made.append(
        "live_sources",
        [
            {"source": "a.seg", "bytes": 10, "folder": "/live"},
            {"source": "a.seg", "bytes": 25, "folder": "/live"},
        ],
    )
    made.append(
        "live_hours",
        [{"id": "h-1", "hour": "2026-07-01T09:00:00", "prompt": "p", "env": "prod", "calls": 6}],
    )
    yield made
    made.close()


def test_calls_by_version_and_arm(store: Store) -> None:
    """Votes and scores beside the calls; the scorer that is named counts alone."""
    first, second = by_version_and_arm(store, {**ASKED, "scorer": "exact"})
    assert (first["version_id"], first["arm"], first["calls"]) == ("v1", "stable", 2)
    assert (first["failures"], first["votes"], first["good"]) == (1, 1, 1.0)
    assert (first["scored"], first["score"], second["score"]) == (1, 1.0, 0.0)
    assert by_version_and_arm(store, ASKED)[0]["score"] == 0.75
    assert by_version_and_arm(store, {**ASKED, "until": at(1)}) == []
    found = {row[:3]: row[3:] for row in tokens(store, ASKED)}
    assert found["v1", "stable", "m"] == (1, 1, 2, 5, 2, None)


def test_calls_by_hour(store: Store) -> None:
    """A call without a latency is in no bin; an hour that a purge left is read beside them."""
    hour = datetime(2026, 7, 1, 10)
    assert [row[:5] for row in hours(store, ASKED)] == [
        (hour, "v1", 1, 2, 1),
        (hour, "v2", 2, 1, 0),
    ]
    judged = {row[1]: row[2:4] for row in judged_hours(store, ASKED)}
    assert judged == {"v1": (1, 0.75), "v2": (1, 0.0)}
    assert sum(latency_bins(store, ASKED, "version_id, arm")["v1", "stable"].values()) == 2
    [past] = past_hours(store, ASKED)
    assert (past["hour"], past["calls"]) == (datetime(2026, 7, 1, 9), 6)
    assert past_hours(store, {**ASKED, "env": "dev"}) == []
    half = "2026-07-01T09:30:00"  # the hour is of one of two windows that meet within it
    assert past_hours(store, {**ASKED, "until": half}) == []
    assert len(past_hours(store, {**ASKED, "since": half})) == 1


def test_calls_one_by_one(store: Store) -> None:
    """Newest first under a condition; of a day in their order."""
    assert list(chosen(store, ASKED, "failure is null")["id"]) == ["l-3", "l-1"]
    day = sampled_calls(store, "p", "prod", "2026-07-01", 1.0)
    assert list(day["id"]) == ["l-1", "l-2", "l-3"]
    assert list(sampled_calls(store, "p", "prod", "2026-07-02", 1.0)["id"]) == []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):  # the share that `score_live` chooses
        chosen_here = [name for name in day["id"] if _in_share(name, share)]
        assert list(sampled_calls(store, "p", "prod", "2026-07-01", share)["id"]) == chosen_here
    assert prompts(store) == [("p", "dev"), ("p", "prod")]
    assert newest_of_each(store, "p") == [
        ("dev", datetime(2026, 7, 1, 10, 4)),
        ("prod", datetime(2026, 7, 1, 10, 3)),
    ]


def test_what_was_taken_in_and_what_was_lost(store: Store) -> None:
    assert live_count(store) == (4, 2)
    assert rows_held(store) == 7  # four calls, two votes, one note of a loss
    assert taken_of_each(store) == {"a.seg": 25}
    assert folders_taken(store) == ["/live"]
    assert losses(store, at(29)) == 4
    assert losses(store, at(31)) == 0


def test_what_was_judged(store: Store) -> None:
    """Scored by all means by every scorer that is named; a score past 1 is not a label."""
    both = [("exact", "1"), ("brief", "1")]
    assert scored_by_all(store, ["l-1", "l-3"], both) == {"l-1"}
    assert scored_by_all(store, ["l-1", "l-3"], both[:1]) == {"l-1", "l-3"}
    day = "2026-07-01"
    found = judged_calls(store, ("p", "prod"), (day, day), ("exact", "1"), 1.0)
    assert [row[:3] for row in found] == [(day, 0, 1.0), (day, 0, 0.0)]
    assert [row[3]["id"] for row in found] == ["l-1", "l-3"]
    assert judged_calls(store, ("p", "prod"), (day, day), ("exact", "1"), 1e-9) == []
    assert judged_calls(store, ("p", "prod"), (day, day), ("exact", "2"), 1.0) == []
    assert [row[:4] for row in feedback_not_labelled(store, ["l-1", "l-3"])] == [
        ("f-1", "l-1", "good", 1.0)
    ]


def test_the_last_vote_of_a_call_counts(tmp_path: Path) -> None:
    """Also where it is not the better one, and came to the store first."""
    store = Store(tmp_path / "store")
    store.append("live", [call("l-1", 1), call("l-2", 2, response_id="r-2"), call("l-3", 3)])
    votes = [("l-1", 9, 0.0), ("l-1", 8, 1.0), ("r-2", 8, 1.0), ("r-2", 9, 0.0), ("l-3", 8, 0.0)]
    votes.append(("l-3", 9, 1.0))
    rows = [
        {"id": f"f-{place}", "run": run, "kind": "good", "value": value, "at": at(minute)}
        for place, (run, minute, value) in enumerate(votes)
    ]
    rows += [{"id": "f-n", "run": "l-3", "kind": "note", "note": "again", "at": at(10)}]
    rows += [
        {"id": f"f-s{value}", "run": "l-3", "kind": "score", "value": value, "at": at(minute)}
        for value, minute in ((5.0, 3), (2.0, 4))
    ]
    store.append("feedback", rows)
    assert [(row["votes"], row["good"]) for row in by_version_and_arm(store, ASKED)] == [
        (3, pytest.approx(1 / 3))
    ]
    found = chosen(store, ASKED, "good = 0 OR rating = 2")
    assert list(zip(found["id"], found["good"], strict=True)) == [
        ("l-3", 1.0),
        ("l-2", 0.0),
        ("l-1", 0.0),
    ]
    store.purge(before="2026-07-02")
    assert [(row["votes"], row["good"]) for row in past_hours(store, ASKED)] == [(3, 1)]
    store.close()
