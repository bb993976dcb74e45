"""Whatever a user's function raises costs its own example: a failure or an unscored row, never
silence and never the study.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from promptops.engine.loop import Background
from promptops.lab import Dataset, Lab, Study
from promptops.models.scripted import ScriptedModel
from promptops.scorers import after, all_of, equals, rubric, scorer
from promptops.scorers.rule import rule
from promptops.study.running import RunningStudy


class Stop(BaseException):
    """What some libraries raise to end a request of their own."""


class Mute(Exception):
    """It cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


ERRORS = [
    asyncio.CancelledError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    StopIteration,
    Stop,
    Mute,
]


async def raised_in_a_task(error: BaseException) -> None:
    """From a task of the function's own, which asyncio treats in another way."""

    async def inner() -> None:
        raise error

    await asyncio.create_task(inner())


async def cancelled_by_itself(_: BaseException) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(5)


async def raised_later(error: BaseException) -> None:
    await asyncio.sleep(0.01)
    raise error


def raised_from_a_thread(error: BaseException) -> None:
    """A thread of the function's own fails, and its result is asked for."""
    from concurrent.futures import ThreadPoolExecutor

    def work() -> None:
        raise error

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(5)


def raised(error: BaseException) -> None:
    raise error


WAYS: dict[str, Callable[[BaseException], Any]] = {
    "sync": raised,
    "thread": raised_from_a_thread,
    "async": raised_later,
    "task": raised_in_a_task,
    "itself": cancelled_by_itself,
}
ROWS = [
    {"id": f"e{number}", "x": str(number), "expected": "yes"} for number in range(10)
]  # the last ones raise nothing


def errors_of(way: str) -> dict[str, type[BaseException]]:
    """Example -> what is raised there.

    A coroutine cannot raise StopIteration, and Python's thread pool cannot pass it on.
    """
    if way == "itself":
        return {"e0": asyncio.CancelledError}
    return {
        f"e{n}": error
        for n, error in enumerate(ERRORS)
        if way == "sync" or error is not StopIteration
    }


def function(way: str, answer: Any) -> Callable[[str], Any]:
    """Takes an example's number and answers, or raises in this way."""
    fails, errors = WAYS[way], errors_of(way)
    if asyncio.iscoroutinefunction(fails):

        async def waits(x: str) -> Any:
            if f"e{x}" in errors:
                await fails(errors[f"e{x}"]("inner"))
            return answer

        return waits

    def answers(x: str) -> Any:
        if f"e{x}" in errors:
            fails(errors[f"e{x}"]("inner"))
        return answer

    return answers


def studied(lab: Lab, scorers: list[Any], **options: Any) -> Study:
    version = lab.prompt("a").save("{{x}}", model="m")
    study = lab.evaluate([version], Dataset.read(ROWS), scorers, **options)
    assert isinstance(study, Study)
    return study


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda _: "yes", label="m")})


@pytest.mark.parametrize("way", WAYS)
def test_a_target_that_raises_anything_fails_its_own_example(lab: Lab, way: str) -> None:
    """Every example is an answer or a failed run of the class internal, which names the
    exception.
    """
    study = studied(lab, [equals()], target=function(way, "yes"))
    errors, runs = errors_of(way), study.runs()
    assert study.status == "finished"
    assert len(runs) == 10
    failed = runs[runs["failure"].notna()]
    assert set(failed["failure"]) == {"internal"}
    assert set(failed["example_id"]) == set(errors)
    assert all(errors[run.example_id].__name__ in run.failure_detail for run in failed.itertuples())
    tried = lab.store.rows("select failure, count(*) from attempts group by failure")
    assert dict(tried) == {"internal": len(errors), None: 10 - len(errors)}
    assert len(study.scores()) == 10 - len(errors)


@pytest.mark.parametrize("way", WAYS)
def test_a_scorer_that_raises_anything_leaves_its_own_row_unscored(lab: Lab, way: str) -> None:
    """Also while recorded answers are scored again; the row says scorer_error and the exception's
    name.
    """
    judge, errors = function(way, True), errors_of(way)

    @scorer(name="mine", version=way)
    def mine(example: Any) -> Any:
        return judge(example.inputs["x"])

    study = studied(lab, [mine])
    for each in (study, study.rescore([scorer(name="other", version=way)(mine.function)])):
        scores = each.scores()
        assert each.status == "finished"
        assert len(scores) == 10
        said = {row.example_id: row.unscored for row in scores[scores["value"].isna()].itertuples()}
        assert set(said) == set(errors)
        assert all(
            said[id].startswith(f"scorer_error: {error.__name__}") for id, error in errors.items()
        )


ERRORS_OF_ROWS = {f"e{n}": error for n, error in enumerate(ERRORS) if error is not StopIteration}


def fails(id: str) -> None:
    if id in ERRORS_OF_ROWS:
        raise ERRORS_OF_ROWS[id]("inner")


async def a_judge(case: Any) -> Any:
    await asyncio.sleep(0.01)
    fails(case.example.id)
    return equals().score(case)


def a_rule(case: Any) -> Any:
    fails(case.example.id)
    return equals().score(case)


def a_transform(text: str) -> str:
    fails(text)
    return text


def a_batch(example: Any) -> list[bool]:
    for each in example:
        fails(each.id)
    return [True] * len(example)


PLACES: dict[str, Callable[[str], Any]] = {
    "batch": lambda _: scorer(batch=True)(a_batch),
    "judge": lambda _: rule("judge", "judge", a_judge, remote=True),
    "rule": lambda _: rule("rule", "assertion", a_rule),
    "pair": lambda base: rule("pair", "regression", a_rule, against=base),
    "part": lambda _: all_of(
        equals(), scorer(name="mine")(lambda example: fails(example.id) or True)
    ),
    "transform": lambda _: after(a_transform, equals()),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_users_code_in_any_other_place_of_scoring(
    make_lab: Callable[..., Lab], place: str
) -> None:
    """A batch scorer, a judge, a rule, one that compares with a baseline, a part of another scorer,
    a transformation.
    """
    lab = make_lab(
        models={
            "m": ScriptedModel(
                lambda r: f"e{r['messages'][0]['content']}" if place == "transform" else "yes",
                label="m",
            )
        }
    )
    base = lab.prompt("base").save(" {{x}}", model="m")
    if place == "pair":
        lab.evaluate([base], Dataset.read(ROWS), [equals()])
    study = studied(lab, [PLACES[place](base.id)])
    scores = study.scores()
    assert study.status == "finished"
    assert len(scores) == 10
    said = {row.example_id: row.unscored for row in scores[scores["value"].isna()].itertuples()}
    assert {id: text.partition(":")[2].split()[0].rstrip(":") for id, text in said.items()} == {
        id: error.__name__ for id, error in ERRORS_OF_ROWS.items()
    }


def test_the_model_of_a_study_and_of_its_judge(make_lab: Callable[..., Lab]) -> None:
    """A model's fault is a failed run; a judge's model that failed has judged nothing: these
    judgements are open, and that is said.
    """

    def model(request: dict[str, Any]) -> str:
        fails(f"e{request['messages'][-1]['content']}")
        return "yes"

    def judging(_: dict[str, Any]) -> str:
        raise KeyboardInterrupt

    lab = make_lab(
        models={"m": ScriptedModel(model, label="m"), "j": ScriptedModel(judging, label="j")}
    )
    with pytest.warns(UserWarning, match=r"4 judgements of .* are open"):
        study = studied(lab, [equals(), rubric("Is it right?", judge="j", name="quality")])
    assert study.status == "stopped"
    failures = study.runs()["failure"].fillna("").tolist()
    assert sorted(failures) == [""] * 4 + ["internal"] * 6
    assert lab.store.rows("select distinct failure from runs where role = 'judge'") == [
        ("internal",)
    ]
    assert len(study.scores()) == 4


def test_a_model_that_cancels_its_own_task_fails_its_own_example(
    make_lab: Callable[..., Lab],
) -> None:
    """No task beside the model's is ended, and no order to stop is read into it."""

    async def model(request: dict[str, Any]) -> str:
        if request["messages"][-1]["content"] == "3":
            await cancelled_by_itself(Stop())
        return "yes"

    study = studied(make_lab(models={"m": ScriptedModel(model, label="m")}), [equals()])
    assert study.status == "finished"
    assert sorted(study.runs()["failure"].fillna("")) == [""] * 9 + ["internal"]


def test_the_loop_outlives_an_interrupt_in_a_task_that_nobody_waits_for(lab: Lab) -> None:
    """A target leaves a task behind that raises KeyboardInterrupt: the study is finished, and so is
    the next one.
    """
    left: list[Any] = []

    async def interrupts() -> None:
        raise KeyboardInterrupt

    async def target(x: str) -> str:
        left.append(asyncio.get_running_loop().create_task(interrupts()))
        await asyncio.sleep(0.01)
        return "yes"

    for name in ("one", "two"):
        version = lab.prompt(name).save("{{x}}", model="m")
        study = lab.evaluate([version], Dataset.read(ROWS), [equals()], target=target)
        assert (study.status, len(study.scores())) == ("finished", 10)
    assert all(isinstance(task.exception(), KeyboardInterrupt) for task in left)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stop_is_not_a_failure_of_the_target(
    lab: Lab, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """study.progress.stop() ends the study within a second, though the target swallows
    nothing; no run is called internal.
    """
    begun, released = threading.Event(), threading.Event()

    async def waits(x: str) -> str:
        begun.set()
        await asyncio.sleep(60)
        return "yes"

    def sleeps(x: str) -> str:
        begun.set()
        released.wait(60)
        return "yes"

    monkeypatch.setattr(
        "promptops.lab.ask_models.in_kernel", lambda: True
    )  # where a cell ends at once
    version = lab.prompt("a").save("{{x}}", model="m")
    study = lab.evaluate(
        [version], Dataset.read(ROWS), [equals()], target=waits if kind == "async" else sleeps
    )
    assert begun.wait(10)
    at = time.monotonic()
    study.progress.stop()
    study.wait()
    took = time.monotonic() - at
    released.set()
    assert took < 20  # a second, and a busy machine; not the minute
    assert study.status == "stopped"
    assert set(study.runs()["failure"]) <= {"cancelled"}


@pytest.mark.skipif(sys.platform == "win32", reason="a signal in the place of the button")
def test_ctrl_c_is_not_a_failure_of_the_target(lab: Lab) -> None:
    """The interrupt goes on upwards, the study says that it was stopped, and no run is called
    internal.
    """
    begun, ended = threading.Event(), threading.Event()

    async def waits(x: str) -> str:
        begun.set()
        await asyncio.sleep(30)
        return "yes"

    def press() -> None:
        begun.wait(20)
        os.kill(os.getpid(), signal.SIGINT)
        # Python ignores an interrupt that falls into a weak reference's callback: press again
        if not ended.wait(5):
            os.kill(os.getpid(), signal.SIGINT)

    def cell() -> None:
        lab.evaluate([version], Dataset.read(ROWS), [equals()], target=waits)
        time.sleep(20)  # never reached

    version = lab.prompt("a").save("{{x}}", model="m")
    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        cell()
    ended.set()
    thread.join()
    assert lab.store.rows("select count(*) from runs where failure = 'internal'") == [(0,)]
    assert lab.store.rows("select arg_max(event, event_at) from study_events") == [("stopped",)]


@pytest.mark.parametrize(
    ("door", "name"),
    [(RunningStudy, "begin"), (Background, "submit")],
    ids=["after the study began", "before the study has its future"],
)
def test_an_interrupt_between_the_start_and_the_wait_stops_the_study(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, door: type, name: str
) -> None:
    """Wherever the interrupt falls after the work began, the study stops and says what it kept."""
    original = getattr(door, name)

    def pressed(*given: Any, **named: Any) -> None:
        original(*given, **named)
        raise KeyboardInterrupt

    async def waits(x: str) -> str:
        await asyncio.sleep(30)
        return "yes"

    monkeypatch.setattr(door, name, pressed)
    version = lab.prompt("a").save("{{x}}", model="m")
    with pytest.raises(KeyboardInterrupt, match="are answered and kept"):
        lab.evaluate([version], Dataset.read(ROWS), [equals()], target=waits)
    assert lab.store.rows("select arg_max(event, event_at) from study_events") == [("stopped",)]
