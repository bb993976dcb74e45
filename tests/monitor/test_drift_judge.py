"""A judge that drifts is told apart from a model that does: the anchor's answers are rejudged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.monitor.drift_file import MonitorFile
from promptops.monitor.watch import declare, run_day
from promptops.scorers import rubric
from promptops.study.project import Project
from promptops.version import PromptVersion

N = 20
RUBRIC = rubric("Is it right?", judge="j", name="quality")


class Judge:
    """Grades 5, and 1 for every second question once it is strict."""

    def __init__(self) -> None:
        self.strict, self.calls = False, 0

    def answer(self, request: dict[str, Any]) -> Reply:
        """A verdict in the form that is asked for."""
        self.calls += 1
        text = json.dumps(request["messages"])
        case = re.search(r"case\W+([0-9a-f]{6,})", text)
        number = re.search(r"answer (\d+)", text)
        assert case is not None
        assert number is not None
        low = self.strict and int(number[1]) % 2 == 0
        verdict = {"case": case[1], "reason": "seen", "score": 1 if low else 5}
        return Reply(json.dumps(verdict), finish_reason="stop")


@pytest.fixture
def judge() -> Judge:
    """The judge of this test."""
    return Judge()


@pytest.fixture
def project(tmp_path: Path, judge: Judge) -> Iterator[Project]:
    """A project whose prod serves a prompt that only a judge can score."""
    asked = iter(range(10_000))

    def answer(request: dict[str, Any]) -> Reply:
        number = request["messages"][-1]["content"].split()[-1]
        return Reply(f"answer {number}, wording {next(asked)}", model="m-1", fingerprint="fp_1")

    models = {"m": ScriptedModel(answer), "j": ScriptedModel(judge.answer, label="j")}
    opened = Project.open(tmp_path / "p", models=models)
    version = PromptVersion("Say {{number}}", model="m")
    opened.registry.promote(
        "triage",
        opened.registry.save("triage", version, author="Ada"),
        "prod",
        author="Ada",
        force=True,
        reason="first",
    )
    yield opened
    opened.close()


def test_a_stricter_judge_is_named_and_not_the_model(project: Project, judge: Judge) -> None:
    rows = [{"id": f"e{i:02}", "number": str(i)} for i in range(N)]
    path = declare(project, "triage", Dataset.read(rows), [RUBRIC], env="prod").path
    run_day(project, path, "2026-12-01", scorers=[RUBRIC])
    first = MonitorFile.read(path).series[0].days[-1]
    assert first.judge_change == 0.0
    assert first.judge_e is not None
    assert first.judge_e <= 1.0
    judge.strict, before = True, judge.calls
    day = 2
    while not MonitorFile.read(path).alarms:
        assert not run_day(project, path, f"2026-12-{day:02}", scorers=[RUBRIC]).unknown
        day += 1
        assert day < 10
    assert judge.calls - before == 2 * N * (day - 2), "each day's answers and the anchor's, anew"
    [alarm] = MonitorFile.read(path).alarms
    assert alarm["cause"]["kind"] == "judge"
    assert "score 50 points lower" in alarm["cause"]["sentence"]


def test_judging_the_anchor_again_leaves_no_score_of_a_study(
    project: Project, judge: Judge
) -> None:
    rows = [{"id": f"e{i:02}", "number": str(i)} for i in range(N)]
    path = declare(project, "triage", Dataset.read(rows), [RUBRIC], env="prod").path
    scores = "select count(*) from scores"
    [(before,)] = project.store.rows(scores)
    judge.strict = True
    run_day(project, path, "2026-12-01", scorers=[RUBRIC])
    [(after,)] = project.store.rows(scores)
    assert after - before == N, "those of the day's own answers only"
