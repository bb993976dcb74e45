"""The playground: the cost before the click, answers side by side and recorded, a version saved
from it with a note.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import PromptOpsError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.views.playground import PlaygroundView

ROWS = [{"id": f"t{n}", "ticket": f"ticket {n}", "expected": "billing"} for n in range(5)]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with two models: one shouts, one whispers what it was asked."""

    def shout(request: dict[str, Any]) -> str:
        return str(request["messages"][-1]["content"]).upper()

    models = {"loud": ScriptedModel(shout), "quiet": ScriptedModel(lambda request: "<b>hush</b>")}
    lab = make_lab(models=models)
    lab.prompt("triage").save("Sort: {{ticket}}", model="loud")
    return lab


def view(lab: Lab, **options: Any) -> PlaygroundView:
    return PlaygroundView(lab, "triage", Dataset.read(ROWS), **options)


def test_the_click_says_what_it_makes_and_costs_before(lab: Lab) -> None:
    """Three examples and two models are six calls; what was asked before is named."""
    shown = view(lab, models=("loud", "quiet"))
    assert "A click makes 6 calls:" in shown.price.value
    shown.run()
    assert "A click makes 0 calls, 6 known already" in shown.price.value


def test_answers_stand_beside_the_golden_answer_and_are_recorded(lab: Lab) -> None:
    """Each model's answer of each example; markup in an answer stays text; every call is a run."""
    shown = view(lab, models=("loud", "quiet"))
    shown.run()
    assert "SORT: TICKET 0" in shown.answers.value
    assert "&lt;b&gt;hush&lt;/b&gt;" in shown.answers.value
    assert shown.answers.value.count("golden answer") == 3
    assert lab.store.rows("select count(*) from runs") == [(6,)]
    shown.run()
    assert lab.store.rows("select count(*) from runs") == [(6,)]


def test_an_edit_is_asked_and_saved_with_its_note(lab: Lab) -> None:
    """The text in the box is what is sent, and what the new version holds."""
    shown = view(lab)
    shown.texts.children[0].value = "Sort quickly: {{ticket}}"
    shown.run()
    assert "SORT QUICKLY: TICKET 1" in shown.answers.value
    shown.note.value = "quicker"
    shown.save.click()
    saved = lab.prompt("triage")[2]
    assert (saved.note, saved.version.template[0]["content"]) == (
        "quicker",
        "Sort quickly: {{ticket}}",
    )
    assert shown.version.value == 2


def test_a_fault_is_said_before_anything_is_asked(lab: Lab) -> None:
    """A variable that the examples lack, and a prompt without a version."""
    shown = view(lab)
    shown.texts.children[0].value = "Sort: {{nothing_of_the_kind}}"
    assert shown.ask.disabled
    assert "nothing_of_the_kind" in shown.price.value
    with pytest.raises(PromptOpsError, match="has no version to play with"):
        PlaygroundView(lab, "unsaved")


def test_read_only_has_no_button_that_saves(lab: Lab) -> None:
    """Nor does a click that comes all the same."""
    shown = view(lab, writes=False)
    shown.save.click()
    assert len(lab.prompt("triage")) == 1
