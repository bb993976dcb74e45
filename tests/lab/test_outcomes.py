"""A model's own failures in a study: an example that does not render, an answer of another form;
counted, scored, shown, never paid for twice.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import DatasetError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, json_valid
from promptops.study import questions
from promptops.views.study_view import results

SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "required": ["team"]}},
}


def rows(count: int = 6, bad: tuple[int, ...] = (2,)) -> list[dict[str, Any]]:
    """`bad` rows lack what the prompt asks for."""
    return [
        {"id": f"t{n}", "other": f"x{n}", **({} if n in bad else {"ticket": f"text {n}"})}
        for n in range(count)
    ]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    asked: list[str] = []

    def answer(request: dict[str, Any]) -> str:
        asked.append(request["messages"][-1]["content"])
        return "yes"

    made = make_lab(
        models={"m": ScriptedModel(answer, label="m", remote=True)}, prices={"m": (1.0, 1.0)}
    )
    made.asked = asked  # type: ignore[attr-defined]
    return made


def test_one_example_that_does_not_render_is_one_outcome(lab: Lab) -> None:
    """No call, no attempt, a run that says what is missing, a failed score; all others are asked.

    It is said before the start.
    """
    version = lab.prompt("p").save("Say yes to {{ticket}}", model="m")
    with pytest.warns(
        UserWarning,
        match=(
            r"1 of 6 examples .* do not render .* 't2'.*missing ticket.*count as failed"
            r" \(render_error\)"
        ),
    ):
        study = lab.evaluate([version], Dataset.read(rows()), [contains("yes")])
    assert sorted(lab.asked) == [f"Say yes to text {n}" for n in (0, 1, 3, 4, 5)]  # type: ignore[attr-defined]
    found = lab.store.rows(
        "select example_id, failure, failure_detail, attempts, output, request from runs where"
        " failure is not null"
    )
    [(example, failure, detail, attempts, output, request)] = found
    assert (example, failure, attempts, output, request) == ("t2", "render_error", 0, None, "{}")
    assert "is missing ticket" in detail
    assert lab.store.rows("select count(*) from attempts") == [(5,)]
    scored = lab.store.rows(
        "select r.example_id, s.value, s.reason, s.unscored from scores s join runs r on r.id ="
        " s.run_id where s.value < 1"
    )
    assert scored == [("t2", 0.0, "the example did not render: render_error", None)]
    assert "1 render_error" in repr(study)
    assert "1 render_error" in results(study)
    assert study.status == "finished"


def test_running_it_again_asks_and_writes_nothing(lab: Lab) -> None:
    """The outcome is known: it is linked as every answer is."""
    version = lab.prompt("p").save("Say yes to {{ticket}}", model="m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab.evaluate([version], Dataset.read(rows()), [contains("yes")])
        before = lab.store.rows(
            "select (select count(*) from runs), (select count(*) from scores), (select count(*)"
            " from study_runs)"
        )
        lab.evaluate([version], Dataset.read(rows()), [contains("yes")])
        assert (
            lab.store.rows(
                "select (select count(*) from runs), (select count(*) from scores), (select"
                " count(*) from study_runs)"
            )
            == before
        )
        assert len(lab.asked) == 5  # type: ignore[attr-defined]
        mended = lab.evaluate([version], Dataset.read(rows(bad=())), [contains("yes")])
    assert len(lab.asked) == 6  # type: ignore[attr-defined]
    assert "render_error" not in repr(mended)


def test_a_column_that_no_example_has_is_an_error_before_money_is_spent(lab: Lab) -> None:
    """All rows lack it: the study is set up wrongly, nothing is asked and nothing recorded; so for
    one arm of two.
    """
    good, bad = (
        lab.prompt("p").save("Say yes to {{ticket}}", model="m"),
        lab.prompt("p").save("Say yes to {{tikcet}}", model="m"),
    )
    with pytest.raises(
        DatasetError, match=r"6 of 6 examples .* do not render .*the likely column is 'ticket'"
    ):
        lab.evaluate([good, bad], Dataset.read(rows(bad=())), [contains("yes")])
    assert lab.asked == []  # type: ignore[attr-defined]
    assert lab.store.rows("select count(*) from runs") == [(0,)]


def test_the_first_example_may_be_the_one_that_does_not_render(lab: Lab) -> None:
    """What is checked of the endpoint is checked with one that does; and the estimate counts calls,
    not rows.
    """
    version = lab.prompt("p").save("Say yes to {{ticket}}", model="m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimate = lab.estimate([version], Dataset.read(rows(bad=(0, 1))), [contains("yes")])
        assert (estimate.calls, estimate.reused) == (4, 0)
        study = lab.evaluate([version], Dataset.read(rows(bad=(0, 1))), [contains("yes")])
    assert study.progress.calls.failed == {"render_error": 2}
    assert (
        study.progress.calls.cost_unknown == 4
    )  # the script states no tokens; what was not sent is no call of unknown cost


def test_without_it_one_bad_row_would_end_the_study(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the tests above: where the error is let through, nothing of the study is
    asked.
    """

    def let_through(arm: Any, example: Any, repeat: int, why: str, key: str) -> Any:
        raise DatasetError(why)

    monkeypatch.setattr(questions, "_unrendered", let_through)
    version = lab.prompt("p").save("Say yes to {{ticket}}", model="m")
    monkeypatch.setattr(warnings, "warn", lambda *_, **__: None)
    with pytest.raises(DatasetError, match="missing ticket"):
        lab.evaluate([version], Dataset.read(rows()), [contains("yes")])


def test_answers_of_another_form_are_seen_and_judged(make_lab: Callable[..., Lab]) -> None:
    """Two arms, one of which answers prose, half JSON or another object: classes in the summary,
    scorers of JSON fail, the text's pass.
    """
    said = {"0": "Sure, billing", "1": '{"team": ', "2": '{"crew": "billing"}'}

    def answer(request: dict[str, Any]) -> str:
        return said.get(request["messages"][-1]["content"][-1], json.dumps({"team": "billing"}))

    lab = make_lab(
        models={
            "m": ScriptedModel(lambda request: '{"team": "billing"}', label="m"),
            "n": ScriptedModel(answer, label="n"),
        }
    )
    prompt = lab.prompt("p")
    versions = [
        prompt.save("Team of {{ticket}}", model=name, response_format=SCHEMA) for name in ("m", "n")
    ]
    study = lab.evaluate(versions, Dataset.read(rows(bad=())), [json_valid(), contains("billing")])
    assert "2 invalid_json, 1 schema_mismatch" in repr(study)
    assert dict(lab.store.rows("select output, failure from runs where failure is not null")) == {
        "Sure, billing": "invalid_json",
        '{"team": ': "invalid_json",
        '{"crew": "billing"}': "schema_mismatch",
    }
    scores = lab.store.rows(
        "select s.scorer, r.output, s.value from scores s join runs r on r.id = s.run_id where"
        " r.failure is not null order by all"
    )
    assert scores == [
        ("contains(billing)", "Sure, billing", 1.0),
        ("contains(billing)", '{"crew": "billing"}', 1.0),
        ("contains(billing)", '{"team": ', 0.0),
        ("json_valid", "Sure, billing", 0.0),
        ("json_valid", '{"crew": "billing"}', 1.0),
        ("json_valid", '{"team": ', 0.0),
    ]
    assert study.review.examples().failures == ("invalid_json", "schema_mismatch")


def test_a_schema_that_cannot_be_checked_is_said_before_the_start(
    make_lab: Callable[..., Lab],
) -> None:
    """The study goes on, and nobody is accused."""
    lab = make_lab(models={"m": ScriptedModel(lambda request: "{}", label="m")})
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"$ref": "https://elsewhere.example/x"}},
    }
    version = lab.prompt("p").save("Team of {{ticket}}", model="m", response_format=wanted)
    with pytest.warns(
        UserWarning, match="answers of v1 are not compared with the schema of its response_format"
    ):
        study = lab.evaluate([version], Dataset.read(rows(bad=())), [json_valid()])
    assert "failed" not in repr(study)
