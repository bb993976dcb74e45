"""Offline: recorded answers are judged without the key of any model, and nothing is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.cli.__main__ import main
from promptops.lab import Dataset, Lab
from promptops.models.protocol import Call, Reply
from promptops.scorers import equals

STUDY = """
format = 2
prompt = "triage"
candidate = "v2"
baseline = "v1"
dataset = "rows.jsonl"
scorers = [{scorers}]
[policy]
goal = "not_worse"
"""
DECLARED = """
[models.mini]
base_url = "https://models.example.com/v1"
api_key_env = "OUR_KEY"
"""


class Answering:
    """In the place of the endpoint, under its label."""

    remote = True

    def __init__(self, label: str) -> None:
        self.label = label

    def check(self, request: object) -> None:
        """It can always answer."""

    async def complete(self, call: Call) -> Reply:
        """The golden answer, to the better version."""
        return Reply("bug" if "one word" in str(call.chat) else "a bug, I think")

    async def aclose(self) -> None:
        """It holds nothing open."""


@pytest.fixture(params=["declared", "the environment's endpoint"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two versions and a study file, in a checkout of a fork: no key is set."""
    for name in ("OUR_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "declared":
        (tmp_path / "promptops.toml").write_text(DECLARED)
    else:
        monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example.com/v1")
    rows = [{"id": f"e{n}", "ticket": f"crash {n}", "expected": "bug"} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "study.toml").write_text(STUDY.format(scorers='"equals"'))
    lab = Lab(tmp_path)
    for text in ("Say: {{ticket}}", "In one word: {{ticket}}"):
        lab.prompt("triage").save(text, model="mini")
    lab.project.close()
    return tmp_path


def record(project: Path) -> None:
    """What a maintainer's run left in the store."""
    lab = Lab(project, models={"mini": Answering("models.example.com/v1")})
    triage = lab.prompt("triage")
    lab.evaluate([triage[1], triage[2]], Dataset.read(project / "rows.jsonl"), [equals()])
    lab.project.close()


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(project)

    def run(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", "study.toml", *words])
        return int(ended.value.code or 0)

    return run


def test_a_fork_needs_no_key_for_recorded_answers(project: Path, run: Callable[..., int]) -> None:
    """The verdict is that of the run that asked."""
    record(project)
    assert run("--offline") == 0


def test_answers_that_are_not_recorded_are_counted_without_a_key(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A fork's check passes then, since a maintainer's run decides."""
    assert run("--offline") == 3
    assert "80 answers are not recorded, and offline nothing is asked" in capsys.readouterr().out


def test_a_run_that_may_ask_still_needs_its_key(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is sent."""
    assert run() == 2
    assert "KEY" in capsys.readouterr().err


def test_a_judge_is_not_asked_offline(
    project: Path, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where its key is set."""
    record(project)
    for name in ("OUR_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-nobody-0123456789")
    asked: list[object] = []
    monkeypatch.setattr(
        "promptops.models.endpoint.EndpointModel.complete", lambda *given: asked.append(given)
    )
    judge = '{name = "rubric", args = ["Is it short?"], judge = "mini"}'
    (project / "study.toml").write_text(STUDY.format(scorers=f'"equals", {judge}'))
    assert run("--offline") == 0  # by the answers; the judgements are open
    assert asked == []
