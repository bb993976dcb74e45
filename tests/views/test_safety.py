"""Views keep what they must: no key, no control character, no megabytes, whatever the data hold; a
notebook's page of each is small.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.views.comparison_view import html as comparison_html
from promptops.views.dashboard import Dashboard, StudiesView
from promptops.views.display import View, fitting
from promptops.views.environments import EnvironmentsView
from promptops.views.examples_view import ExamplesView
from promptops.views.labels import LabelView
from promptops.views.live import LiveStudy, snapshot
from promptops.views.prompts_tab import PromptsView
from promptops.views.report import report_html

CANARY = "sk-canary77Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def study(make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers and inputs hold a key, these and tags, notes and reasons terminal codes and
    bidirectional marks; one answer is 3 MB.
    """
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    odd = "\x1b[31mred\x1b[0m \u202egnp.exe\u2066"
    bad = f"the key is {CANARY} {odd}"

    def answer(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        return "y" * 3_000_000 if "#7 " in text else bad if "#3 " in text else "yes"

    models = {
        "plain": ScriptedModel(lambda request: "yes", label="plain"),
        "bad": ScriptedModel(answer, label="bad"),
    }
    lab = make_lab(models=models)
    prompt = lab.prompt("triage")
    versions = [
        prompt.save("#{{number}} {{ticket}}", model="plain"),
        prompt.save("Well #{{number}} {{ticket}}", model="bad", note=odd),
    ]
    rows = [
        {
            "id": f"t{i}" + odd[-9:] * (i < 3),
            "number": str(i),
            "ticket": bad if i % 2 else "fine",
            "expected": "yes",
            "tags": [odd],
        }
        for i in range(20)
    ]
    study = lab.evaluate(
        versions,
        Dataset.read(rows, tags="tags"),
        [equals().named(f"right {odd[-9:]}")],
        name=f"first {odd}",
    )
    lab.promote(versions[1], env="dev", reason=odd, force=True)
    return study


def every_view(study: Any) -> dict[str, View]:
    lab = Lab(study.recorded.project.root)
    environments = EnvironmentsView(lab)
    environments.env.value = "dev"
    return {
        "study": LiveStudy(study),
        "studies": StudiesView(study),
        "examples": ExamplesView(study),
        "prompts": PromptsView(lab),
        "label": LabelView(study, rater="ana"),
        "environments": environments,
        "dashboard": Dashboard(lab),
    }


def texts(widget: Any) -> str:
    """All that a widget holds; a list shows its labels, not the value behind the chosen one."""
    options = getattr(widget, "options", None)
    own = (
        [str(each[0] if isinstance(each, tuple) else each) for each in options]
        if options is not None
        else [
            value
            for name in ("html", "value")
            if isinstance(value := getattr(widget, name, None), str)
        ]
    )
    return "\n".join([*own, *(texts(child) for child in getattr(widget, "children", ()))])


def test_no_view_holds_a_key_or_a_control_character_or_megabytes(study: Any) -> None:
    """Widget, page and text of every view, the comparison and the report: 0 hits, and none is
    larger than what it shows.
    """
    pages = {"comparison": comparison_html(study.compare()), "report": report_html(study)}
    for name, view in every_view(study).items():
        if name == "examples":
            view.pane.press("l")  # type: ignore[attr-defined]
        pages[name] = view.static() + texts(view.box)
        pages[f"{name} as text"] = repr(view)
        assert len(json.dumps([view.shown().still(), view.shown().live()])) <= 100_000, name
    for name, shown in pages.items():
        assert CANARY not in shown, name
        assert not STEERING.search(shown), name
        assert len(shown) < 400_000, name


def test_a_running_study_shows_no_key(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest losses, which have not been through a file yet, are redacted too."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setattr("promptops.lab.ask_models.in_kernel", lambda: True)

    def answer(request: dict[str, Any]) -> str:
        time.sleep(0.01)
        return (
            f"your key is {CANARY}"
            if request["messages"][-1]["content"].startswith("Well")
            else "yes"
        )

    lab = make_lab(models={"slow": ScriptedModel(answer, label="slow")})
    prompt = lab.prompt("ask")
    versions = [
        prompt.save("{{question}}", model="slow"),
        prompt.save("Well: {{question}}", model="slow"),
    ]
    rows = [
        {"id": f"q{i}", "question": f"is {i} so, {CANARY}", "expected": "yes"} for i in range(60)
    ]
    study = lab.evaluate(versions, Dataset.read(rows), [equals()], concurrency=2)
    deadline = time.monotonic() + 20
    while study.progress.losses.count < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    shown = snapshot(study)
    study.wait()
    assert "has lost" in shown
    assert CANARY not in shown


def test_what_does_not_fit_is_left_out_and_said() -> None:
    """Parts stay in order, whole; where one is too large the page says so."""
    assert fitting(["<p>a</p>", "<p>b</p>"]) == "<p>a</p><p>b</p>"
    large = fitting(["<p>a</p>", "x" * 200_000, "<p>b</p>"])
    assert large.startswith("<p>a</p><p>b</p>")
    assert "left out here" in large
