"""A study's line of progress: everything that it costs so far, and unknown said as unknown."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from promptops.engine.progress import Progress
from promptops.views.progress_view import bar, follow, line

if TYPE_CHECKING:
    from promptops.lab.study_progress import StudyProgress


def test_a_running_study_says_calls_failures_retries_rate_tokens_cost_and_time_left() -> None:
    """In the order in which a person asks for them."""
    now = Progress(
        total=4000,
        done=1204,
        failed={"rate_limit": 2, "refusal": 1},
        retries=7,
        rate=310.4,
        cost_usd=0.42,
        tokens_in=96_300,
        tokens_out=4_100,
        time_left_s=9.0,
    )
    assert (
        line(now, reused=120)
        == "1,204 of 4,000 calls · 3 failed (2 rate_limit, 1 refusal) · 7 retries · 310/s · 96,300"
        " + 4,100 tokens · $0.42 · 9.0 s left · 120 reused"
    )


def test_what_is_unknown_is_said_so() -> None:
    """A cost that nobody knows is not a zero, and a part of it is reported beside the rest."""
    assert (
        line(Progress(total=10, done=4, cost_unknown=4, rate=2.0))
        == "4 of 10 calls · 2.0/s · cost unknown"
    )
    assert "$0.10 + 2 calls of unknown cost" in line(
        Progress(total=10, done=4, cost_unknown=2, cost_usd=0.1)
    )
    assert "tokens" not in line(Progress(total=10, done=4))
    assert line(Progress(done=4, retries=1)).startswith("4 calls · 1 retry · ")


def test_a_study_with_nothing_to_ask_says_that() -> None:
    """All of it was answered before."""
    assert line(Progress(total=0), reused=500) == "nothing left to ask · 500 reused"
    assert (
        line(Progress(total=0, stopped="stopped by hand"))
        == "0 of 0 calls · 0.0/s · $0.00 · stopped: stopped by hand"
    )


def test_the_bar_fills() -> None:
    """Empty, half and full."""
    assert bar(Progress(total=4, done=2), 4) == "██░░"
    assert bar(Progress(total=0, finished=True), 4) == "████"


@pytest.mark.parametrize("stream", ["full", "closed", "none"])
def test_no_stream_ends_the_wait_for_a_study(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind the log, a closed one, and pythonw, which has none."""
    out = None
    if stream != "none":
        out = open("/dev/full", "w")  # noqa: SIM115
    if out is not None and stream == "closed":
        out.close()
    monkeypatch.setattr("sys.stderr", out)
    running = SimpleNamespace(status="finished", handed_in=None, reused_targets="5 reused")
    recorded: Any = SimpleNamespace(name="s", status="finished", running=running)
    follow(cast("StudyProgress", SimpleNamespace(recorded=recorded, calls=None, reused=0)))
    if out is not None:
        with contextlib.suppress(OSError):
            out.close()
