"""A search beats its seed on val, sees no test row, keeps its budget, and is the same when it is
run again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import StudyError
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot, Instructions, Task
from promptops.scorers import equals

LABELS = ("red", "green", "blue")
ROWS = [
    {"id": f"r{n}", "item": f"thing {n} of {LABELS[n % 3]}ish kind", "expected": LABELS[n % 3]}
    for n in range(160)
]
SEED_TEXT = "Name the colour.\n\nItem: {{item}}"


def answer(request: Mapping[str, Any]) -> str:
    """Right more often the more it was told: demonstrations, and the word "label"."""
    messages = request["messages"]
    asked = str(messages[-1]["content"])
    item = asked.rpartition("Item: ")[2]
    number = int(item.split()[1])
    told = len(messages) // 2 + (8 if "one label" in json.dumps(messages) else 0)
    text = json.dumps(messages)
    draw = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 16**8
    return LABELS[number % 3] if draw < min(0.2 + 0.05 * told, 0.9) else "mauve"


def model() -> ScriptedModel:
    return ScriptedModel(answer)


def data() -> Dataset:
    return Dataset.read(ROWS)


@pytest.fixture
def seeded(make_lab: Callable[..., Any]) -> Callable[..., tuple[Any, Any, ScriptedModel]]:
    """A lab with a seed version, and its model."""

    def made(folder: str = "project", **models: Any) -> tuple[Any, Any, ScriptedModel]:
        asked = model()
        lab = make_lab(folder, models={"m": asked, **models})
        return lab, lab.prompt("colour").save(SEED_TEXT, model="m"), asked

    return made


def story(search: Any) -> dict[str, Any]:
    """All that a search decided."""
    lineage = search.search.lineage
    return {
        "id": search.id,
        "best": search.best.id,
        "candidates": [(c.id, c.parents, c.how, c.n, c.score) for c in search.candidates],
        "events": [(e.version, e.status, e.n, e.score) for e in lineage.events],
        "calls": search.calls,
    }


def test_it_beats_the_seed_and_leads_to_a_confirmed_version(seeded: Callable[..., Any]) -> None:
    """From the seed to evidence in a few lines. It leaves no study until it is confirmed; where
    candidates and the saved version come from is recorded. The same search in another process
    replays what is recorded, to the same end.
    """
    lab, v1, asked = seeded()
    search = lab.optimize(v1, data(), [equals()], budget_calls=500)
    assert search.status == "finished"
    assert len(asked.calls) > 100
    assert search.search.best.score > search.candidates[0].score
    assert len(lab.studies) == 0
    [line] = lab.studies.searches.itertuples()
    assert (line.id, line.method, line.status) == (search.id, "few_shot", "finished")
    assert "searches, newest first" in lab.studies._repr_html_()
    counts = lab.store.stats()["rows"]
    assert counts["optimizations"] == 1
    assert counts["candidates"] == len(search.candidates)
    assert counts["candidate_events"] == len(search.search.lineage.events)
    begun = lab.store.rows("select id, created_at from optimizations")
    later, v1_later, asked_later = seeded()
    again = later.optimize(v1_later, data(), [equals()], budget_calls=500)
    assert asked_later.calls == []
    assert story(again) == story(search)
    assert later.store.stats()["rows"] == counts
    assert later.store.rows("select id, created_at from optimizations") == begun
    v2 = search.save(note="found")
    assert v2.id == search.best.id
    assert search.save().number == v2.number
    [(parents, made_by)] = lab.store.rows(
        "select parents, made_by from versions where id = ? and prompt = 'colour'", [v2.id]
    )
    assert json.loads(parents) == [v1.id]
    assert made_by == f"few_shot {search.id}"
    study = search.confirm()
    assert [arm.label for arm in study.record.arms] == ["v1", "v2"]  # by its number, once saved
    assert study.compare(candidate=v2, baseline=v1).primary.gain > 0.1
    assert len(lab.studies) == 1


def test_instructions_beat_the_seed_too(seeded: Callable[..., Any]) -> None:
    """By their own road."""
    lab, v1, _ = seeded()
    search = lab.optimize(v1, data(), [equals()], method="instructions", budget_calls=300)
    assert search.status == "finished"
    assert search.search.best.score > search.candidates[0].score
    v2 = search.save(note="found")
    assert v2.id == search.best.id
    assert search.confirm().compare(candidate=v2, baseline=v1).primary.gain > 0.1


def test_a_method_cannot_ask_for_a_test_row(seeded: Callable[..., Any]) -> None:
    """Not even one that holds the row."""
    lab, v1, _ = seeded()
    stolen = data().test[0]

    @dataclass(frozen=True)
    class Thief:
        name: str = "thief"

        def document(self) -> Mapping[str, object]:
            return {}

        async def run(self, task: Task, rng: Random) -> None:
            await task.ask([task.seed], [stolen])

    with pytest.raises(StudyError, match="not of train or val"):
        lab.optimize(v1, data(), [equals()], method=Thief(), budget_calls=50)


def test_a_stop_ends_a_proposal(seeded: Callable[..., Any]) -> None:
    """O9: also while a model thinks; the best so far stays."""

    async def thinks(call: Any) -> str:
        await asyncio.sleep(60)
        return "never"

    lab, v1, _ = seeded(slow=ScriptedModel(thinks, label="slow"))
    method = Instructions(proposer="slow", operators=False)
    from promptops.optimize.search import begin, designed
    from promptops.optimize.spending import Allowance

    design = designed(
        lab.project, v1, data(), [equals()], method=method, allowance=Allowance(calls=300)
    )
    search = begin(lab.project, design)
    until = time.monotonic() + 60
    while not search.spending.calls.get("propose") and time.monotonic() < until:
        time.sleep(0.01)
    search.stop()
    search.wait(30)
    assert search.status == "stopped"
    assert search.best.id == v1.id


def test_proposals_are_recorded_and_used(seeded: Callable[..., Any]) -> None:
    """Each with its run, whose role says what it was for; chatter around fences is left out."""
    more = ["Call it red, green or blue."] * 3
    replies = [
        "Sure!\n```\nName the one label.\n```\nHope it helps.",
        "",
        "Name it. {{nothing}}",
        *more,
    ]
    proposer = ScriptedModel(replies, label="proposer")
    lab, v1, _ = seeded(proposer=proposer)
    method = Instructions(operators=False, proposer="proposer", paraphrases=3)
    search = lab.optimize(v1, data(), [equals()], method=method, budget_calls=300)
    texts = [c.version.template[0]["content"] for c in search.candidates]
    assert "Name the one label.\n\nItem: {{item}}" in texts
    assert search.calls["propose"] >= 3
    roles = dict(lab.store.rows("select role, count(*) from runs group by role"))
    assert roles["propose"] == search.calls["propose"]
    refused = lab.store.rows("select refused from proposals order by number limit 3")
    assert [bool(why) for (why,) in refused] == [False, True, False]
    assert any("nothing" in event.detail for event in search.search.lineage.vetoed())


def test_nothing_better_is_said(seeded: Callable[..., Any]) -> None:
    """The seed stays, and there is nothing to save or to confirm."""
    lab, v1, _ = seeded()
    method = Instructions(texts=["Say anything at all."], operators=False)
    search = lab.optimize(v1, data(), [equals()], method=method, budget_calls=20)
    if search.best.id == v1.id:
        with pytest.raises(StudyError, match="nothing better"):
            search.save()
        with pytest.raises(StudyError, match="nothing to confirm"):
            search.confirm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a budget"),
        ({"budget_calls": 0}, "above 0"),
        ({"budget_calls": 10, "method": "magic"}, "few_shot"),
        ({"budget_calls": 10, "goal": "best"}, "cheaper"),
        ({"budget_calls": 10, "method": FewShot(k=2), "goal": "worse"}, "cheaper"),
    ],
)
def test_misuse_is_named(seeded: Callable[..., Any], options: Any, message: str) -> None:
    """Before anything is asked."""
    lab, v1, asked = seeded()
    with pytest.raises(StudyError, match=message):
        lab.optimize(v1, data(), [equals()], **options)
    assert asked.calls == []


def test_an_empty_split_is_named(seeded: Callable[..., Any]) -> None:
    """A part of a dataset is not enough."""
    lab, v1, _ = seeded()
    with pytest.raises(StudyError, match="'val'"):
        lab.optimize(v1, data().train, [equals()], budget_calls=10)
