"""Promises O1 to O7 of a search at their figures: kills anywhere, any concurrency, rows of the test
split that raise, candidates that see through the label, and budgets of any size.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot, Instructions
from promptops.scorers import equals
from promptops.scorers.function import scorer

sys.path.insert(0, str(Path(__file__).parent))
from killed_searches import BUDGETS, answer, data, search, story

Seeded = Callable[..., tuple[Any, Any, ScriptedModel]]


@pytest.fixture
def seeded(make_lab: Callable[..., Any]) -> Seeded:
    """A lab with a seed version, and its model."""

    def made(folder: str = "project", **models: Any) -> tuple[Any, Any, ScriptedModel]:
        asked = ScriptedModel(answer)
        lab = make_lab(folder, models={"m": asked, **models})
        return lab, lab.prompt("colour").save(SEED, model="m"), asked

    return made


SEED = "Name the colour.\n\nItem: {{item}}"


@pytest.mark.parametrize(
    ("budget", "kills"),
    [
        ("calls", 3),
        pytest.param("calls", 50, marks=pytest.mark.soak),
        pytest.param("tokens", 50, marks=pytest.mark.soak),
    ],
)
def test_a_killed_search_goes_on(tmp_path: Path, budget: str, kills: int) -> None:
    """O1: killed anywhere (in a call, before a row is written), it pays for no recorded call twice
    and ends the same.
    """
    script = Path(__file__).with_name("killed_searches.py")
    words = [sys.executable, str(script), str(tmp_path), budget, str(kills)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{kills} kills, same end" in done.stdout


def test_two_that_search_the_same_at_once_pay_once(make_lab: Callable[..., Any]) -> None:
    """Two labs on one folder, as two processes have them: the second replays the first."""
    models = [ScriptedModel(answer, latency_ms=5.0) for _ in range(2)]
    labs = [make_lab(models={"m": model}) for model in models]
    v1 = labs[0].prompt("colour").save(SEED, model="m")
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda lab: story(search(lab, v1, "calls")), labs))
    assert found[0] == found[1]
    assert sum(len(model.calls) for model in models) <= found[0]["calls"]["task"]
    assert all(lab.project.searches for lab in labs)


@pytest.mark.parametrize("budget", sorted(BUDGETS))
def test_concurrency_changes_nothing(seeded: Seeded, budget: str) -> None:
    """O2: the same seed is the same search at 1, 4 and 50 calls at once, whatever is limited."""
    stories = []
    for width in (1, 4, 50):
        lab, v1, _ = seeded(f"c{width}")
        stories.append(story(search(lab, v1, budget, width)))
    assert stories[0] == stories[1] == stories[2]
    assert stories[0]["calls"]["task"] > 50


@pytest.mark.parametrize(
    "method", ["few_shot", pytest.param("instructions", marks=pytest.mark.soak)]
)
def test_test_rows_that_raise_are_never_met(make_lab: Callable[..., Any], method: str) -> None:
    """O3: a test row that is sent or scored ends the process of asking; no search meets one."""
    hidden = {example.id for example in data().test}

    def guarded(request: Mapping[str, Any]) -> str:
        text = str(request["messages"])
        if any(f"thing {id_[1:]} of" in text for id_ in hidden):
            raise AssertionError("a test row was rendered")
        return answer(request)

    @scorer
    def watching(output: str, example: Any) -> bool:
        if example.id in hidden:
            raise AssertionError("a test row was scored")
        return True

    lab = make_lab(models={"m": ScriptedModel(guarded)})
    v1 = lab.prompt("colour").save(SEED, model="m")
    found = lab.optimize(v1, data(), [equals(), watching], method=method, budget_calls=300)
    assert found.status == "finished"
    assert lab.store.rows("select count(*) from runs where failure is not null") == [(0,)]
    ids = {id_ for (id_,) in lab.store.rows("select distinct example_id from runs")}
    assert ids
    assert ids.isdisjoint(hidden)
    assert lab.store.rows("select count(*) from scores where unscored is not null") == [(0,)]


def yes_rows() -> Dataset:
    """60 % of the rows say yes; nothing in them tells which."""
    return Dataset.read(
        [
            {"id": f"y{n}", "item": f"sentence {n}", "expected": "yes" if n % 5 < 3 else "no"}
            for n in range(240)
        ]
    )


def test_a_constant_is_not_promoted(make_lab: Callable[..., Any]) -> None:
    """O6: a candidate that learned the commonest label gains much over a seed that missed the
    form, and the gate refuses it; label-reading ones are vetoed before a call.
    """

    def trap(request: Mapping[str, Any]) -> str:
        return "yes" if len(request["messages"]) > 2 else "Plausible."

    lab = make_lab(models={"m": ScriptedModel(trap)})
    v1 = lab.prompt("trap").save("Is it plausible?\n\n{{item}}", model="m")
    found = lab.optimize(v1, yes_rows(), [equals()], budget_calls=300)
    assert found.search.best.number > 0
    verdict = found.confirm().compare(candidate=found.best, baseline=v1)
    assert verdict.primary.gain > 0.4
    assert verdict.verdict.decision != "promote"
    reading = Instructions(texts=["The answer is {{expected}}."], operators=False)
    again = lab.optimize(v1, yes_rows(), [equals()], method=reading, budget_calls=300)
    assert [event.status for event in again.search.lineage.vetoed()] == ["vetoed"]
    assert again.search.best.number == 0


SOME = (1, 2, 7, 17, 100, 500)


def kept(seeded: Seeded, budget: int, rows: Dataset, candidates: int = 5) -> int:
    """The calls that the search took of its budget, which it kept."""
    lab, v1, asked = seeded(f"b{budget}")
    method = FewShot(candidates=candidates)
    found = lab.optimize(v1, rows, [equals()], method=method, budget_calls=budget)
    assert found.status == "finished"
    assert len(asked.calls) <= budget
    assert sum(found.calls.values()) <= budget
    assert found.best is not None
    lab.project.loop.close()
    lab.store.close()
    return sum(found.calls.values())


@pytest.mark.parametrize("budget", SOME)
def test_budgets_of_calls_are_kept(seeded: Seeded, budget: int) -> None:
    """O7: not one call beyond the budget, and always a best so far."""
    kept(seeded, budget, data())


@pytest.mark.soak
def test_every_budget_is_kept(seeded: Seeded) -> None:
    """O7: each of 1 to 500, by a search that would go on at every one of them."""
    rows = data()
    taken = [kept(seeded, budget, rows, candidates=24) for budget in range(1, 501)]
    assert taken[-1] > 350


@pytest.mark.parametrize("tokens", [1, 3_000])
def test_budgets_of_tokens_are_kept(seeded: Seeded, tokens: int) -> None:
    """O7: one row of the candidates goes over at most, the first, of which nothing is known."""
    lab, v1, asked = seeded()
    method = FewShot(candidates=5)
    found = lab.optimize(v1, data(), [equals()], method=method, budget_tokens=tokens)
    dearest = found.search.spending.dearest.values()
    first = max((taken for taken, _ in dearest), default=0) * len(found.candidates)
    assert found.search.spending.tokens <= tokens + first
    assert tokens < 3_000 or found.search.spending.tokens >= tokens / 2
    assert found.best is not None
    assert len(asked.calls) == sum(found.calls.values())
