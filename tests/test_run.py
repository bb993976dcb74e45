"""A run is written once; its failure classes are a closed table; an equal call has one key for
ever.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.errors import VersionError
from promptops.failure_classes import FAILURES
from promptops.run import Attempt, Run, new_id, reuse_key, utc

HERE = Path(__file__).resolve()
GOLDEN = json.loads((HERE.parent / "golden" / "ids.json").read_text(encoding="utf-8"))["reuse_keys"]
PROMISES = HERE.parents[1].parent / "shared" / "design" / "promises.md"

TABLE = {
    "transient": "rate_limit, timeout_connect, timeout_read, connection, server_error, overloaded",
    "setup": "quota_exhausted, auth, permission, not_found_model, bad_request",
    "stopped": "budget_stop, cancelled, circuit_open, internal",
    "outcome": (
        "context_length, content_filter_input, content_filter_output, refusal, truncated_length,"
        " empty_output, invalid_json, schema_mismatch, tool_error, render_error"
    ),
    "scoring": "scorer_error, judge_error",
}


def run(**fields: Any) -> Run:
    return Run(
        "r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", "out", **fields
    )


def test_the_table_of_failures() -> None:
    """The failure classes are the closed table of the promises, each of one kind."""
    assert {name: kind for kind, names in TABLE.items() for name in names.split(", ")} == FAILURES


@pytest.mark.skipif(
    not PROMISES.exists(), reason="the design documents are not beside this repository"
)
def test_the_table_is_the_promised_one() -> None:
    """Line by line: the classes of the promises' table, and whether they are retried and scored,
    are those of FAILURES.
    """
    lines = (
        PROMISES.read_text(encoding="utf-8")
        .split("| class | retried | scored |\n| --- | --- | --- |\n")[1]
        .split("\n")
    )
    found = {}
    for line in lines[:5]:
        names, retried, scored = (part.strip() for part in line.strip("|").split("|"))
        kind = (
            "transient"
            if retried.startswith("yes")
            else (
                "scoring"
                if "scorer" in retried
                else "setup"
                if "stops the study" in retried
                else "stopped"
            )
        )
        found |= dict.fromkeys(
            names.split(", "), "outcome" if scored.startswith("an outcome") else kind
        )
    assert found == FAILURES


@pytest.mark.parametrize("failure", [None, *FAILURES])
def test_kind_and_scorable(failure: str | None) -> None:
    """A run can be judged where the model answered or failed by its own doing; unknown is None,
    never zero.
    """
    made = run(failure=failure)
    assert made.kind == (FAILURES[failure] if failure else None)
    assert made.scorable is (failure is None or FAILURES[failure] == "outcome")
    assert (made.cost_usd, made.tokens_in, made.latency_ms) == (None, None, None)


def test_never_changed() -> None:
    """Runs and attempts are frozen, hold no other attributes, compare by content and can be
    pickled.
    """
    made, tried = run(), Attempt("r-1", 1, "t", 2.0)
    for value in (made, tried):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.started_at = "x"  # type: ignore[misc]
        assert not hasattr(value, "__dict__")
        assert pickle.loads(pickle.dumps(value)) == value
        assert dataclasses.replace(value, started_at="other") != value


@pytest.mark.parametrize("case", GOLDEN, ids=[str(index) for index in range(len(GOLDEN))])
def test_golden_reuse_keys(case: dict[str, Any]) -> None:
    """The scheme `k1:` never changes: a kept answer is found again by every release."""
    assert (
        reuse_key(case["version_id"], case["inputs"], case["endpoint"], case["repeat"])
        == case["key"]
    )


BASE: dict[str, Any] = {"version_id": "p1-a", "inputs": {"x": 1}, "endpoint": "openai", "repeat": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"version_id": "p1-b"},
        {"inputs": {"x": 2}},
        {"inputs": [{"x": 1}]},
        {"endpoint": "llama"},
        {"repeat": 1},
    ],
)
def test_what_makes_another_call(change: dict[str, Any]) -> None:
    """Version, inputs, endpoint and repeat each make another call; the order of keys and 1 or 1.0
    do not.
    """
    key = reuse_key(**BASE)
    assert re.fullmatch("k1:[0-9a-f]{32}", key)
    assert reuse_key(**{**BASE, **change}) != key
    assert reuse_key(**{**BASE, "inputs": {"x": 1.0}}) == key


def test_a_key_of_what_json_cannot_hold() -> None:
    """Inputs that no JSON holds have no key: an error, not a key that differs from run to run."""
    with pytest.raises(VersionError, match="object"):
        reuse_key("p1-a", {"x": object()}, "openai", 0)


def test_ids_are_fresh_and_sort_by_time() -> None:
    """Ids never repeat, and a later one sorts after an earlier one."""
    ids = [new_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(re.fullmatch("r-[0-9a-f]{32}", made) for made in ids)
    time.sleep(0.002)
    assert new_id() > max(ids)
    assert new_id("s").startswith("s-")


def test_ids_of_forks_differ() -> None:
    """A forked child and its parent never make the same id: the chance comes from the system."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 99).decode()[-16:] != new_id()[-16:]
    os.close(read)
    os.close(write)


@settings(deadline=None, max_examples=200)
@given(st.integers(-(10**15), 4 * 10**15))
def test_utc(micro: int) -> None:
    """A moment is UTC, ISO 8601 without zone, with six digits of the second; also before 1970."""
    moment = datetime(1970, 1, 1) + timedelta(microseconds=micro)
    assert utc(micro / 1e6) == moment.isoformat(timespec="microseconds")


def test_utc_now() -> None:
    """Without an argument it is now, on any machine's zone."""
    now = datetime.fromisoformat(utc()).replace(tzinfo=UTC)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=30)
