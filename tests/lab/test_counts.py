"""A study is finished only if its counts add up: every question answered or failed, every answer
judged by every scorer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.engine.loop import Background
from promptops.engine.sweep import Sweep
from promptops.errors import Refused
from promptops.lab import Dataset, Lab, Study
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, exact, scorer
from promptops.scoring.score_phase import ScorePhase

ROWS = [{"id": f"e{number}", "x": str(number), "expected": "yes"} for number in range(10)]


def studied(lab: Lab, scorers: list[Any], **options: Any) -> Study:
    version = lab.prompt("a").save("{{x}}", model="m")
    study = lab.evaluate([version], Dataset.read(ROWS), scorers, **options)
    assert isinstance(study, Study)
    return study


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda _: "yes", label="m")})


def test_a_study_whose_calls_do_not_add_up_is_stopped(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that comes to nothing, by whatever fault of our own, is counted and said; the same
    cell asks it.
    """
    asks = Sweep._ask

    async def forgets(self: Sweep, lane: Any, question: Any) -> None:
        if question.example_id != "e3":
            await asks(self, lane, question)

    with monkeypatch.context() as faulty:
        faulty.setattr(Sweep, "_ask", forgets)
        with pytest.warns(
            UserWarning, match="1 of 10 questions came to neither an answer nor a failure"
        ):
            study = studied(lab, [equals()])
    assert study.status == "stopped"
    assert lab.store.rows("select arg_max(event, event_at) from study_events") == [("stopped",)]
    again = studied(lab, [equals()])
    assert (again.id, again.status, len(again.runs())) == (study.id, "finished", 10)


def test_a_study_whose_scores_do_not_add_up_is_stopped(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that a scorer came to no judgement of is counted and said, in a study and in a
    rescore.
    """
    whole = ScorePhase._batch

    async def short(self: Any, scorer: Any, batch: list[Any], *rest: Any) -> Any:
        return await whole(self, scorer, batch[:-1], *rest)

    @scorer
    def mine(output: str) -> bool:
        return True

    monkeypatch.setattr(ScorePhase, "_batch", short)
    with pytest.warns(UserWarning, match="1 of 20 judgements were neither given nor refused"):
        study = studied(lab, [equals(), mine])
    assert study.status == "stopped"
    with pytest.warns(UserWarning, match="1 of 10 judgements were neither given nor refused"):
        again = study.rescore([scorer(name="other")(mine.function)])
    assert again.status == "stopped"


def test_a_rescore_that_is_interrupted_is_not_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended it is its last event."""
    study = studied(lab, [equals()])

    def interrupted(self: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Background, "finish", lambda self, work: (work.close(), interrupted(self)))
    with pytest.raises(KeyboardInterrupt):
        study.rescore([scorer(name="other")(lambda output: True)])
    rows = lab.store.rows(
        "select event, detail from study_events where detail like 'KeyboardInterrupt%'"
    )
    assert [event for event, _ in rows] == ["stopped"]


def test_a_name_means_the_newest_study_of_it(lab: Lab) -> None:
    """In the kernel that ran them it had meant the first, while a purge took the last."""
    version = lab.prompt("a").save("{{x}}", model="m")
    for size in (4, 8, 6):
        lab.evaluate([version], Dataset.read(ROWS[:size]), [equals()], name="tone").wait()
        assert len(lab.study("tone").runs()) == size
    assert lab.store.purge(study="tone").removed["study_runs"] == 6
    assert len(lab.study("tone").runs()) == 8


def test_a_study_that_is_not_stored_yet_is_found(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    study = studied(lab, [equals()], name="tone")
    monkeypatch.setattr("promptops.study.recorded_study.studies.heads_by_name", lambda *_: [])
    assert lab.study("tone").id == lab.study(study.id).id == study.id


def test_where_golden_answers_are_missing_nobody_is_sent_to_ask_again(lab: Lab) -> None:
    """The gate, and a promotion that it refused, had sent people to run the cell again, which asks
    nothing and changes nothing; only the comparison had named what to do.
    """
    rows = [{"q": f"{n}", "expected": "yes" if n else None} for n in range(40)]
    first, second = (lab.prompt("p").save(f"{text}{{{{q}}}}", model="m") for text in "ab")
    few = [*rows, {"q": "x", "expected": None}]
    with pytest.warns(UserWarning, match="have no value in the column 'expected'"):
        study = lab.evaluate([first, second], few, [equals()])
    [alone] = study.gate(first, env="prod")
    assert "Incomplete: 2 of 41 examples" in alone
    lab.promote(first, env="prod", study=study, force=True, reason="a test")
    [against, *_] = study.gate(second, env="prod")
    assert "Incomplete: 4.9 % of the pairs" in against
    for each in (alone, against):
        assert "Next: every answer is there: `study.scores()` says why" in each
    with pytest.raises(Refused, match="Next: every answer is there"):
        lab.promote(second, env="prod", study=study)


def test_an_answer_that_was_recorded_without_a_secret_is_judged_by_no_new_scorer(
    make_lab: Callable[..., Lab],
) -> None:
    """A scorer added later had found 0 of 20 where all were right, since the key was hidden in what
    was recorded. An answer in which the model itself wrote the word is judged.
    """
    key = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrStUvWx1234567890zZ"
    answers = {"key": key, "word": "[redacted]"}
    lab = make_lab(
        models={"m": ScriptedModel(lambda r: answers[r["messages"][-1]["content"]], label="m")}
    )
    version = lab.prompt("p").save("{{q}}", model="m")

    def studied(what: str, *scorers: Any, **options: Any) -> Study:
        rows = [{"q": what, "number": n, "expected": answers[what]} for n in range(20)]
        study = lab.evaluate([version], rows, [*scorers], name=what, **options)
        assert isinstance(study, Study)
        return study

    for what in answers:
        assert studied(what, equals()).scores().value.tolist() == [1.0] * 20
    with pytest.warns(UserWarning, match="recorded without a secret"):
        later = studied("key", equals(), exact())
    assert later.status == "stopped"
    assert set(later.scores().value) == {1.0}
    assert "exact(expected)" not in set(later.scores().scorer)
    asked = studied("key", equals(), exact(), fresh=True).scores()
    assert set(asked[asked.scorer == "exact(expected)"].value) == {1.0}
    assert set(studied("word", equals(), exact()).scores().value) == {1.0}
