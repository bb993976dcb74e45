"""A scorer in a process of its own: whatever it does to the interpreter costs its own example."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import re
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, all_of, contains, scorer
from promptops.scorers.isolated_child import answer
from promptops.scoring.score_phase import ScorePhase

pytest.importorskip("cloudpickle")


def cases(*outputs: str) -> list[Case]:
    made = []
    for number, output in enumerate(outputs):
        example = Example(f"e{number}", {"q": "?"}, "yes")
        run = Run(
            f"r-{number}", "k1:1", "p", "p1-a", "m", "scripted", "model", example.id,
            example.fingerprint, 0, "{}", output,
        )  # fmt: skip
        made.append(Case(output, example, run))
    return made


def judged(scorers: list[Any], *outputs: str, timeout_s: float = 60.0) -> dict[str, list[Score]]:
    """Each scorer's scores in the order of the outputs."""

    async def collect() -> list[tuple[str, str, Score]]:
        phase = ScorePhase(scorers, timeout_s=timeout_s, concurrency=1)
        return [
            (scorer.name, case.run.id, score)
            async for case, scorer, score in phase.score_async(cases(*outputs))
        ]

    found: dict[str, list[Score]] = {}
    for name, _, score in sorted(asyncio.run(collect()), key=lambda one: one[:2]):
        found.setdefault(name, []).append(score)
    return found


def load(which: str) -> str:
    return (FOLDER / f"{which}.txt").read_text()


def fits(output: str) -> bool:
    with (FOLDER / "log.txt").open("a") as log:
        log.write(output)
    return load("rubric") in output + load("log")


FOLDER = Path("rubrics")


def test_an_edit_of_a_file_that_it_reads_is_another_scorer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is opened in the other process, and the old scores had been kept."""
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir()
    rubric = FOLDER / "rubric.txt"
    rubric.write_text("a")
    first = scorer(isolated=True)(fits)
    assert [one.value for one in judged([first], "a", "b")["fits"]] == [1.0, 1.0]
    assert first.as_it_is().version == first.version
    rubric.write_text("c")
    second = first.as_it_is()
    assert second.version != first.version
    assert [one.value for one in judged([second], "d")["fits"]] == [0.0]
    assert second.as_it_is().version == second.version


def harmful(output: str, expected: Any) -> bool:
    """What an answer makes a scorer do to the interpreter."""
    if output == "crash":
        ctypes.string_at(0)
    if output == "exit":
        os._exit(3)
    if output == "leave":
        raise SystemExit(1)
    if output == "raise":
        raise KeyError("label")
    print("printed, and not an answer")
    return output == expected


def test_what_ends_the_interpreter_costs_its_own_example() -> None:
    """A segmentation fault, an exit, SystemExit and an error: each is the reason of its own row,
    and the others are judged, by the same function in the same version.
    """
    lone = scorer(isolated=True)(harmful)
    assert lone.version == scorer(harmful).version
    crash, yes, ended, left, raised, no = judged(
        [lone], "crash", "yes", "exit", "leave", "raise", "no"
    )["harmful"]
    assert (yes.value, no.value) == (1.0, 0.0)
    assert "SIGSEGV" in str(crash.unscored)
    assert "exit code 3" in str(ended.unscored)
    assert str(left.unscored).startswith("scorer_error: SystemExit")
    assert str(raised.unscored) == "scorer_error: KeyError: 'label'"


def test_code_that_keeps_the_interpreter_is_cut_off_and_stops_nothing_else() -> None:
    """A regular expression that backtracks: its row is unscored after the time limit, this process
    runs on meanwhile, and nothing is left running.
    """

    @scorer(isolated=True, name="slow")
    def backtracks(output: str) -> bool:
        return re.match("(a+)+$", output) is None

    beats: list[float] = []
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            beats.append(time.monotonic())

    thread = threading.Thread(target=beat)
    thread.start()
    assert backtracks("b")  # its process has started
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fine, hung = judged([backtracks], "b", "a" * 60 + "b", timeout_s=2.0)["slow"]
    over.set()
    thread.join()
    assert fine.value == 1.0
    assert "took longer than 2 s" in str(hung.unscored)
    assert len(beats) > 3
    assert not [one for one in said if "did not stop" in str(one.message)]


def test_every_form_of_a_scorer_may_be_isolated() -> None:
    """Async, of many answers, within a composition, with captured values; scores come whole."""
    words = {"yes": Score(0.5, True, reason="half", category="c")}

    @scorer(isolated=True)
    async def later(output: str) -> Score:
        await asyncio.sleep(0)
        return words.get(output, Score(0.0, False))

    @scorer(isolated=True, batch=True)
    def many(output: list[str], example: list[Example]) -> list[bool]:
        return [o == e.expected for o, e in zip(output, example, strict=True)]

    both = all_of(contains("e"), later)
    found = judged([later, many, both], "yes", "no")
    assert found["later"][0] == words["yes"]
    assert [score.value for score in found["many"]] == [1.0, 0.0]
    assert [score.passed for score in found[both.name]] == [True, False]


def test_a_function_that_cannot_leave_the_process_is_refused_when_it_is_made() -> None:
    """A captured lock is said at once, not once per example."""
    lock = threading.Lock()
    with pytest.raises(ScorerError, match="guarded cannot run in its own process"):

        @scorer(isolated=True)
        def guarded(output: str) -> bool:
            return lock.locked()


def test_an_error_that_does_not_survive_a_pickle_keeps_its_name_and_text() -> None:
    """An exception class of inside a function, and one whose text raises."""

    class Odd(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__(f"{a} and {b}")

    def raises(output: str) -> bool:
        raise Odd(1, 2)

    kind, (whole, name, text) = pickle.loads(answer(raises, pickle.dumps((("",), {}))))
    assert (kind, whole, name, text) == ("raised", None, "Odd", "1 and 2")
