"""Judges spend from their study's budget, and a judgement that nobody gave stays open until
somebody gives it.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, rubric
from promptops.study import provenance

DATA = [{"id": f"t{i}", "ticket": f"ticket {i}", "expected": "yes"} for i in range(20)]


def judge(request: dict[str, Any]) -> Reply:
    """Grades everything best, in the form that it is asked for, at 100 tokens a call."""
    text = json.dumps(request["messages"])
    case = re.search(r"case\W+([0-9a-f]{6,})", text)
    assert case is not None
    return Reply(
        json.dumps({"case": case[1], "reason": "fine", "score": 5}),
        finish_reason="stop",
        tokens_in=90,
        tokens_out=10,
    )


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    answers = ScriptedModel(
        lambda request: Reply("yes", finish_reason="stop", tokens_in=5, tokens_out=5),
        label="answers",
        remote=True,
    )
    return make_lab(models={"m": answers, "j": ScriptedModel(judge, label="j", remote=True)})


def test_judging_stops_at_the_budget_and_goes_on_with_a_larger_one(lab: Lab) -> None:
    """Answers and judges share the tokens; what was not judged is reported, not recorded, and asked
    when there is money again.
    """
    version = lab.prompt("p").save("{{ticket}}", model="m", max_tokens=20)
    scorers = [equals(), rubric("Is it right?", judge="j", name="quality")]
    with pytest.warns(UserWarning, match="judgements of .* are open"):
        study = lab.evaluate(
            [version], Dataset.read(DATA), scorers, budget_tokens=2500, concurrency=1
        )
    judged = len(lab.project.model("j").calls)
    assert 0 < judged < 20
    spent = lab.store.rows("select sum(tokens_in + tokens_out) from runs")[0][0]
    assert spent <= 2500 + 8 * 1000  # at most the calls in flight beyond the budget
    assert len(study.scores()) == 20 + judged
    again = lab.evaluate([version], Dataset.read(DATA), scorers)
    assert again.id == study.id
    assert len(lab.project.model("j").calls) == 20
    assert len(again.scores()) == 40


def test_a_stop_ends_judging_at_once_and_keeps_what_was_judged(
    make_lab: Callable[..., Lab],
) -> None:
    """Stopped while judges are asked: within a second no more is asked, what they said is recorded,
    the rest is asked by the next run.
    """
    slow = ScriptedModel(judge, label="j", remote=True, latency_ms=100)
    answers = ScriptedModel(
        lambda _: Reply("yes", finish_reason="stop", tokens_in=5, tokens_out=5),
        label="answers",
        remote=True,
    )
    lab = make_lab(models={"m": answers, "j": slow})
    data = [{"id": f"t{i}", "ticket": f"ticket {i}", "expected": "yes"} for i in range(200)]
    version = lab.prompt("p").save("{{ticket}}", model="m", max_tokens=20)
    scorers = [equals(), rubric("Is it right?", judge="j", name="quality")]
    stopped: list[tuple[float, int]] = []

    def stop() -> None:
        while len(slow.calls) < 120:  # judged in portions of 32, so that the first are whole
            time.sleep(0.01)
        next(iter(lab.project.running.values())).stop("stopped by hand")
        stopped.append((time.monotonic(), len(slow.calls)))

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.warns(UserWarning, match="run the cell again to ask for them"):
        study = lab.evaluate([version], Dataset.read(data), scorers)
    thread.join()
    at, asked = stopped[0]
    assert time.monotonic() - at < 5.0  # a second, and what the machine takes to look at the study
    assert study.status == "stopped"
    assert len(slow.calls) <= asked + 8  # those that were about to be sent
    kept = len(study.scores()) - 200
    assert 0 < kept <= asked
    again = lab.evaluate([version], Dataset.read(data), scorers)
    assert (again.id, again.status) == (study.id, "finished")
    assert len(again.scores()) == 400
    assert len(slow.calls) <= 200 + 16  # only what was in flight at the stop is asked twice


def test_a_judge_is_recorded_with_the_cell_that_started_the_study(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks in the background, while other cells run; so does a study that is scored again, whose
    head says which cell asked for it.
    """
    shell = SimpleNamespace(user_ns={"In": ["", "study = lab.evaluate(...)"]}, kernel=object())
    monkeypatch.setattr(provenance, "_shell", lambda: shell)
    started = provenance.cell_hash()
    slow = ScriptedModel(judge, label="j", remote=True, latency_ms=20)
    answers = ScriptedModel(
        lambda _: Reply("yes", finish_reason="stop", tokens_in=5, tokens_out=5),
        label="answers",
        remote=True,
    )
    lab = make_lab(models={"m": answers, "j": slow})
    version = lab.prompt("p").save("{{ticket}}", model="m")
    study = lab.evaluate(
        [version], Dataset.read(DATA), [rubric("Is it right?", judge="j", name="quality")]
    )
    shell.user_ns["In"].append("another = 'cell'")  # it returned at once
    study.wait()
    assert lab.store.rows("select distinct role, cell_hash from runs order by role") == [
        ("judge", started),
        ("model", started),
    ]
    shell.user_ns["In"].append("study.rescore(...)")
    again = study.rescore([equals()])
    assert lab.store.rows("select cell_hash from studies where id = ?", [again.id]) == [
        (provenance.cell_hash(),)
    ]
