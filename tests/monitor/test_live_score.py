"""Judges of live calls spend from one budget, however many of them ask at once."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StudyError
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.monitor.live_score import score_live
from promptops.monitor.live_watch import declare_live
from promptops.run import utc
from promptops.scorers import rubric
from promptops.study.project import Project

CALLS, BUDGET = 200, 60.0


def _verdict(request: dict[str, Any]) -> Reply:
    """A grade, for 1 USD."""
    case = re.search(r"case\W+([0-9a-f]{6,})", json.dumps(request["messages"]))
    assert case is not None
    return Reply(
        json.dumps({"case": case[1], "reason": "seen", "score": 5}), tokens_in=10, tokens_out=0
    )


def test_a_budget_is_that_of_the_whole_call(tmp_path: Path) -> None:
    """What one portion of the judges spent is not there for the next."""
    judge = ScriptedModel(_verdict, label="j", remote=True)
    project = Project.open(tmp_path / "p", models={"j": judge}, prices={"j": (100_000.0, 0.0)})
    rows = [{"id": f"c{n}", "prompt": "p", "output": f"answer {n}"} for n in range(CALLS)]
    scorer = rubric("Is it right?", judge="j", name="quality")
    try:
        found = score_live(project, rows, [scorer], budget_usd=BUDGET)
        spent = project.store.rows("select sum(cost_usd) from runs")[0][0]
        assert 0 < found.scored < CALLS
        assert 0 < spent <= BUDGET
        assert score_live(project, rows, [scorer]).scored == CALLS - found.scored
    finally:
        project.close()


def test_a_monitors_budget_is_that_of_all_its_days(tmp_path: Path) -> None:
    judge = ScriptedModel(_verdict, label="j", remote=True)
    project = Project.open(tmp_path / "p", models={"j": judge}, prices={"j": (100_000.0, 0.0)})
    today = date.fromisoformat(utc()[:10])
    rows = [
        {"id": f"c{n}", "prompt": "p", "env": "prod", "output": f"answer {n}"}
        | {"started_at": f"{today - timedelta(days=n % 28 + 1)}T10:00:00"}
        for n in range(CALLS)
    ]
    project.store.append("live", rows)
    scorer = "rubric('Is it right?', judge='j', name='quality')"
    try:
        with pytest.raises(StudyError, match="has scored live calls on each of the last 0 days"):
            declare_live(project, "p", [scorer], env="prod", share=1.0, budget_usd=BUDGET)
        spent = project.store.rows("select sum(cost_usd) from runs")[0][0]
        assert 0 < spent <= BUDGET
    finally:
        project.close()
