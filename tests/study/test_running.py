"""What a study that this process runs says about how its answers came about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from promptops.study import running
from promptops.study.running import RunningStudy

OTHER = "v2 was answered by two models."


class Noted:
    """A model that has something to say."""

    label = "m"
    notes = ("m asked at temperature 0.",)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The calls of the look for other models, which reads the store."""
    calls: list[tuple[object, ...]] = []

    def other_models(*given: object) -> list[str]:
        calls.append(given)
        return [OTHER]

    monkeypatch.setattr(running, "other_models", other_models)
    return calls


def study(*, first: bool, alike: bool) -> RunningStudy:
    arms = [SimpleNamespace(model=Noted()), SimpleNamespace(model=SimpleNamespace(label="plain"))]
    design = SimpleNamespace(arms=arms)
    work: Any = SimpleNamespace(design=design, answered_alike=alike, store="store")
    record: Any = SimpleNamespace(sources=lambda: "sources", scorers="scorers", name="s")
    return RunningStudy(record, work, first=first)


def test_a_first_pass_that_one_model_answered_needs_no_look_at_the_store(
    asked: list[tuple[object, ...]],
) -> None:
    assert study(first=True, alike=True).notes() == ["m asked at temperature 0."]
    assert asked == []


@pytest.mark.parametrize(("first", "alike"), [(False, True), (True, False), (False, False)])
def test_a_later_pass_and_one_of_several_models_look_for_other_models(
    asked: list[tuple[object, ...]], first: bool, alike: bool
) -> None:
    """An earlier pass may have been answered by another model behind the same name."""
    assert study(first=first, alike=alike).notes() == ["m asked at temperature 0.", OTHER]
    assert asked == [("store", "sources", "scorers")]


def test_a_pass_is_a_later_one_unless_it_is_said_to_be_the_first(
    asked: list[tuple[object, ...]],
) -> None:
    told = study(first=True, alike=True)
    assert OTHER in RunningStudy(told.record, told._work).notes()
    assert len(asked) == 1
