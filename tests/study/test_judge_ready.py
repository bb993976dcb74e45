"""A judge that cannot be asked is found before an answer is paid for."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.errors import SetupError
from promptops.lab import Lab
from promptops.models.protocol import Call, Reply
from promptops.scorers import all_of, equals, rubric
from promptops.scorers.case import Scorer

ROWS = [{"q": f"q{n}", "expected": f"a{n}"} for n in range(4)]


class Remote:
    """A model that counts its calls, and is paid for."""

    label, remote = "remote", True

    def __init__(self) -> None:
        self.calls = 0

    def check(self, request: object) -> None:
        """Takes everything."""

    async def complete(self, call: Call) -> Reply:
        """A verdict where one is asked for."""
        self.calls += 1
        text = str(call.chat["messages"])
        mark = text.partition('"case": "')[2].partition('"')[0]
        verdict = f'{{"case": "{mark}", "reason": "good", "score": 5}}'
        return Reply(text=verdict if mark else "a1", tokens_in=9, tokens_out=9)

    async def aclose(self) -> None:
        """Holds nothing."""


def the_lab(where: Path, **prices: tuple[float, float]) -> tuple[Lab, Remote]:
    model = Remote()
    return Lab(where, models={"m": model, "j": model}, prices={"m": (1, 1), **prices}), model


@pytest.mark.parametrize(
    ("scorer", "told"),
    [
        (rubric("polite", judge="j"), "needs the price of 'j'"),
        (all_of(equals(), rubric("polite", judge="j")), "needs the price of 'j'"),
        (rubric("polite"), "names no model"),
        (rubric("polite", judge="nobody"), "no API key"),
    ],
    ids=["no-price", "within-another", "no-model", "no-key"],
)
def test_a_judge_that_cannot_be_asked_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scorer: Scorer, told: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    lab, model = the_lab(tmp_path)
    version = lab.prompt("p").save("{{q}}", model="m")
    with pytest.raises(SetupError, match=told):
        lab.evaluate([version], ROWS, [scorer], budget_usd=1)
    assert model.calls == 0


def test_answers_that_a_judge_could_not_be_asked_about_are_judged_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a project whose judge had no price when an earlier release asked."""
    monkeypatch.setattr("promptops.study.evaluate.check_judges", lambda *_: None)
    judge = rubric("polite", judge="j")
    lab, model = the_lab(tmp_path)
    version = lab.prompt("p").save("{{q}}", model="m")
    first = lab.evaluate([version], ROWS, [judge], budget_usd=1)
    assert "could be scored" in repr(first)
    lab, judged = the_lab(tmp_path, j=(1, 1))
    again = lab.evaluate([version], ROWS, [judge], budget_usd=1)
    assert "100.0 %" in repr(again)
    assert model.calls == len(ROWS)
    assert judged.calls == len(ROWS)
