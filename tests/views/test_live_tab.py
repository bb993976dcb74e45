"""Law: a failure in production is three clicks from an example: seen, once per content, with the
golden answer that somebody gave; read-only, nothing writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import PromptVersion
from promptops.lab import Dataset, Lab
from promptops.observe.open_queues import open_queue
from promptops.registry.served_version import Served
from promptops.views.dashboard import Dashboard
from promptops.views.live_tab import PATH, LiveTab

SERVED = Served("triage", "prod", PromptVersion("Classify: {{ticket}}", model="m"), 3)
HOSTILE = "<script>window.hit=1</script>"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("PROMPTOPS_RECORD", str(tmp_path / "spool"))
    monkeypatch.setenv("PROMPTOPS_CONTENT", "1")
    made = Lab(tmp_path / "project")
    yield made
    open_queue(str(tmp_path / "spool")).close()
    made.project.close()


def ask(ticket: str, said: str, **feedback: Any) -> None:
    """One live call, and what somebody said of it."""
    with promptops.call(SERVED, ticket=ticket) as call:
        call.answer = said
    if feedback:
        assert promptops.feedback(str(call.id), by="ada", **feedback)
    assert promptops.observe.flush(30)


def examples(lab: Lab) -> dict[str, Any]:
    data = Dataset.read(lab.project.root / PATH)
    return {example.inputs["ticket"]: example for example in data}


def test_three_clicks(lab: Lab) -> None:
    """The tab, the call, the button: the correction is the golden answer; what is typed goes before
    it; a content that is there already adds nothing.
    """
    ask("fine", "billing", good=True)
    ask(f"{HOSTILE} wrong", "refund", good=False, correction="billing")
    ask("empty", " ")
    ask("empty", " ")
    board = Dashboard(lab)
    tab: LiveTab = board.open("Live")
    assert len(tab.rows) == 3
    assert "empty_output" in tab.call.options[0][0]
    tab.call.value = 2
    assert tab.golden.value == "billing"
    assert "<script" not in tab.detail.value + tab.static()
    tab.add.click()
    assert "It is a new example of data/from_live.jsonl, which has 1." in tab.note.value
    tab.call.value = 0
    tab.golden.value = "technical"
    tab.add.click()
    assert (tab.call.value, "which has 2" in tab.note.value) == (1, True)
    tab.add.click()
    assert "was an example before" in tab.note.value
    found = examples(lab)
    assert found[f"{HOSTILE} wrong"].expected == "billing"
    assert found["empty"].expected == "technical"
    assert found["empty"].tags == ("live", "reviewed", "empty_output")


def test_what_is_recorded_meanwhile_comes_by_itself(lab: Lab) -> None:
    """A look again brings new calls and keeps the one that is looked at, with what was typed; where
    nothing came, nothing is drawn.
    """
    ask("first", " ")
    tab = LiveTab(lab)
    tab.golden.value = "typed"
    shown = tab.summary.value
    tab.look_again()
    assert tab.summary.value is shown
    ask("second", " ")
    tab.look_again()
    assert len(tab.rows) == 2
    assert "ticket: first" in tab.detail.value
    assert tab.golden.value == "typed"


def test_a_call_that_is_looked_at_stays_however_many_come(lab: Lab) -> None:
    """A golden answer that is half typed stays with its call, beyond the newest hundred too; what
    was purged meanwhile is shown no longer.
    """
    ask("mine", " ", good=False)
    tab = LiveTab(lab)
    tab.golden.value = "half typed"
    told: list[object] = []
    tab.golden.observe(lambda change: told.append(change.new), names="value")
    now = datetime.now(UTC).replace(tzinfo=None)
    lab.store.append("live", [{"id": f"l-{n}", "prompt": "triage", "env": "prod", "version": 3,
                               "started_at": (now + timedelta(seconds=n)).isoformat(),
                               "values": '{"ticket": "other"}', "failure": "internal"}
                              for n in range(150)])  # fmt: skip
    tab.look_again()
    assert len(tab.rows) == 101
    assert "ticket: mine" in tab.detail.value
    assert (tab.golden.value, told) == ("half typed", [])
    tab.add.click()
    assert examples(lab)["mine"].expected == "half typed"
    lab.store.purge(live=[row["id"] for row in tab.rows])
    tab.look_again()
    assert "ticket: mine" not in tab.detail.value
    assert (len(tab.rows), tab.golden.value) == (50, "")


def test_hours_are_drawn_with_what_was_deployed(lab: Lab) -> None:
    """Calls, failures, quality and latency by hour, a line per version; no markup of a name, and
    nothing of one hour alone.
    """
    version = lab.prompt("triage").save("Classify: {{ticket}}", model="m")
    lab.promote(version, env="prod", force=True, reason="first")
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {
            "id": f"l-{hour}-{number}",
            "prompt": "triage",
            "env": "prod",
            "version_id": f"p1-{number}{HOSTILE}",
            "version": number or None,
            "started_at": (now - timedelta(hours=hour)).isoformat(),
            "latency_ms": 100.0 * (1 + hour),
            "failure": "rate_limit" if hour == 1 else None,
        }
        for hour in range(4)
        for number in (0, 1)
    ]
    lab.store.append("live", rows[:2])
    assert "By hour" not in LiveTab(lab).summary.value
    lab.store.append("live", rows[2:])
    score = {"scorer": "s", "scorer_version": "1", "example_fingerprint": "", "value": 0.5}
    lab.store.append("scores", [{"run_id": "l-2-1", **score}])
    drawn = LiveTab(lab).summary.value
    for title in ("calls per hour", "failures", "quality: mean score", "latency, ms"):
        assert f">{title}" in drawn
    assert "failures by hour: v1 0 % at last" in drawn
    assert "v1 50 % at last" in drawn
    assert drawn.count(">v1</text>") == 4  # its deployment, in each of them
    assert "<script" not in drawn.replace("<style", "")


def test_votes_become_labels_once(lab: Lab) -> None:
    """A user's vote is a label of a person, by the user's keyed hash."""
    ask("a", "billing", good=True)
    ask("b", "refund", good=False, score=0.25)
    ask("c", "refund", score=7.0)
    tab = LiveTab(lab)
    for new in ("3 labels are new", "0 labels are new"):
        tab.labels.click()
        assert new in tab.note.value
    rows = lab.store.rows("select kind, value, rater from labels order by kind, value")
    assert [row[:2] for row in rows] == [("pass", 0.0), ("pass", 1.0), ("score", 0.25)]
    assert all(rater.startswith("u1-") for _, _, rater in rows)


def test_read_only_and_without_content(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buttons that a browser made up write nothing; a call without its values says what to do."""
    monkeypatch.setenv("PROMPTOPS_CONTENT", "0")
    ask("a", " ", good=False)
    tab = LiveTab(lab, writes=False)
    assert "cannot become an example" in tab.detail.value
    assert tab.add.disabled
    tab.added()
    tab.labelled()
    assert not (lab.project.root / PATH).exists()
    assert lab.store.rows("select count(*) from labels") == [(0,)]


def test_an_empty_lab_says_what_to_do(lab: Lab) -> None:
    tab = LiveTab(lab)
    assert "No live calls are recorded here yet" in tab.summary.value
    assert tab.which.layout.display == tab.call.layout.display == "none", "lists of nothing"
    assert "no prompt" not in tab.summary.value
    assert tab.detail.value == ""
    ask("a", " ")
    tab.refresh()
    assert tab.which.layout.display is tab.call.layout.display is None
    assert "v3" in tab.summary.value
